"""The most probable texts of a model, searched for with a beam."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.served.step_model import StepModel


@dataclass(frozen=True)
class Hypothesis:
    """A text that a beam search has found.

    Attributes:
        text: The prompt is part of it.
        log_probability: Of what was written, in nats.
        score: What the search orders by: log_probability over the length's penalty.
    """

    text: str
    log_probability: float
    score: float


def beam_search(
    model: StepModel, prompt: str, num_tokens: int, *, num_beams: int, length_penalty: float
) -> list[Hypothesis]:
    """The best texts that a beam finds, the best first.

    Lengths differ where texts end: scores are log p / ((5 + n) / 6)^length_penalty, n the tokens
    with the end (Wu et al. 2016, arXiv:1609.08144, equation 14). One beam is the greedy text.

    Shapes: R beams that go on, V vocabulary.
    """
    step, ids = model.step(), model.tokenizer.special_ids
    state = step.zero_state(1)
    for token in model.tokenizer.prompt_ids(prompt):
        logits_RV, state = step(np.array([token]), state)
    beams = [_Beam((), 0.0, 0)]
    ended: list[_Beam] = []
    for _ in range(num_tokens):
        total_RV = np.array([beam.total for beam in beams])[:, None] + _log_probabilities(
            logits_RV, ids.never_sampled
        )
        # Each of the beams may end here, and as many are to go on.
        best_N = np.argsort(-total_RV, axis=None, kind="stable")[: 2 * num_beams]
        # A beam that is wider than the vocabulary reaches what is never written: probability 0.
        best_N = best_N[np.isfinite(total_RV.flat[best_N])]
        candidates = list(zip(*np.unravel_index(best_N, total_RV.shape), strict=True))
        going_on = [(r, v) for r, v in candidates if v != ids.end][:num_beams]
        for r, v in candidates[:num_beams]:
            if v == ids.end:
                beam = beams[r]
                ended.append(_Beam(beam.tokens, float(total_RV[r, v]), beam.length + 1))
        ended = sorted(ended, key=lambda beam: -beam.score(length_penalty))[:num_beams]
        beams = [
            _Beam((*beams[r].tokens, int(v)), float(total_RV[r, v]), beams[r].length + 1)
            for r, v in going_on
        ]
        # What goes on can only lose probability; its score is best if it goes on to the end.
        hope = replace(beams[0], length=num_tokens).score(length_penalty)
        if len(ended) == num_beams and hope <= ended[-1].score(length_penalty):
            break
        parents_R = np.array([r for r, _ in going_on])
        tokens_R = np.array([v for _, v in going_on])
        logits_RV, state = step(tokens_R, tuple(part[parents_R] for part in state))
    found = sorted([*ended, *beams], key=lambda beam: -beam.score(length_penalty))[:num_beams]
    return [
        Hypothesis(
            prompt + model.tokenizer.decode(list(beam.tokens)),
            beam.total,
            beam.score(length_penalty),
        )
        for beam in found
    ]


@dataclass(frozen=True)
class _Beam:
    """What was written, its log-probability, and its length with the end."""

    tokens: tuple[int, ...]
    total: float
    length: int

    def score(self, length_penalty: float) -> float:
        return float(self.total / ((5.0 + self.length) / 6.0) ** length_penalty)


def _log_probabilities(logits_RV: NDArray[np.float32], never: Sequence[int]) -> NDArray[np.float64]:
    real_RV = logits_RV.astype(np.float64)
    real_RV[:, list(never)] = -np.inf
    result: NDArray[np.float64] = real_RV - np.logaddexp.reduce(real_RV, axis=1, keepdims=True)
    return result
