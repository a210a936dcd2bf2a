"""Where a text surprises a model most."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.losses import Loss
from training.served.reader import cross_entropy
from training.served.step_model import StepModel

_CONTEXT_TOKENS = 24


@dataclass(frozen=True, order=True)
class Surprise:
    """A token that nobody would have expected.

    Attributes:
        nats: -ln of its probability.
        position: Its number in the text, in tokens.
        before: The text that led to it, as far as it helps; of items, only its own.
        token: What came.
        expected: What the model would have said.
    """

    nats: float
    position: int
    before: str
    token: str
    expected: str


def surprises(
    model: StepModel, ids_T: NDArray[np.int64], num_places: int
) -> tuple[Loss, list[Surprise]]:
    """The loss of one stateful pass over ids, and their most surprising places, the worst first."""
    step = model.step()
    state = step.zero_state(1)
    worst: list[tuple[float, int, int]] = []
    total = 0.0
    for position in range(1, len(ids_T)):
        logits_1V, state = step(ids_T[position - 1 : position], state)
        [nats] = cross_entropy(logits_1V, ids_T[position : position + 1])
        total += float(nats)
        place = (float(nats), -position, int(logits_1V.argmax()))
        push = heapq.heappush if len(worst) < num_places else heapq.heappushpop
        push(worst, place)
    loss = Loss(total / (len(ids_T) - 1), len(ids_T) - 1)
    return loss, list(_described(model, ids_T, sorted(worst, reverse=True)))


def _described(
    model: StepModel, ids_T: NDArray[np.int64], places: list[tuple[float, int, int]]
) -> Iterator[Surprise]:
    special, decode = model.tokenizer.special_ids, model.tokenizer.backend.decode
    for nats, minus_position, expected in places:
        position = -minus_position
        before_T = ids_T[max(0, position - _CONTEXT_TOKENS) : position]
        if special.start_before_prompt:
            starts = np.flatnonzero(before_T == special.start)
            before_T = before_T[starts[-1] :] if len(starts) else before_T
        yield Surprise(
            nats,
            position,
            model.tokenizer.decode(before_T.tolist()),
            decode([int(ids_T[position])], skip_special_tokens=False),
            decode([expected], skip_special_tokens=False),
        )
