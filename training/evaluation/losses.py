"""Losses on held-out text, in three ways that must not be confused.

- `stateful_loss`: one pass over the whole text, the state carried from first to last character.
  This is how the server reads, and the figure that is published.
- `cold_loss`: windows of 256 tokens, each from the zero state, every position counted. nanoGPT
  reports this one; it is higher, since each window begins without a past.
- `estimated_loss`: like stateful, but in parallel columns that each begin cold. Cheap, slightly
  higher than stateful; only used to compare moments of one run with each other.

Whatever reads windows of a text can be measured: a model in torch, or a step graph in the runtime
that serves (`served.reader`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from training.batches.columns import Columns, Window
from training.batches.token_files import Ids
from training.errors import CorpusError

COLD_WINDOW = 256
_COLD_ROWS = 64
_ESTIMATE_COLUMNS = 32
_PASS_WINDOW = 512

State = TypeVar("State")
State_co = TypeVar("State_co", covariant=True)


class Read(Protocol[State_co]):
    """What reading a window gives: the cross-entropy of each target, and the state after it."""

    @property
    def nats_TB(self) -> Tensor:  # noqa: N802
        """Float[T, B]."""

    @property
    def state(self) -> State_co:
        """To go on from."""


class Reader(Protocol[State]):
    """What can be measured."""

    def zero_state(self, num_rows: int, /) -> State:
        """The state before the first token of so many texts."""

    def read(self, ids_TB: Tensor, targets_TB: Tensor, state: State, /) -> Read[State]:
        """Read a window and be told what came next, int64[T, B] both."""


@dataclass(frozen=True)
class Loss:
    """Mean cross-entropy per token."""

    nats: float
    num_tokens: int

    @property
    def bits(self) -> float:
        """The same in bits."""
        return self.nats / math.log(2.0)

    @property
    def perplexity(self) -> float:
        """exp(nats): the number of equally likely tokens that would be as hard to guess."""
        return math.exp(self.nats)


def stateful_loss(model: Reader[State], ids: Ids) -> Loss:
    """One pass over ids, int64[N]: N - 1 predictions."""
    return _carried_loss(model, Columns(ids, batch_size=1, window=_PASS_WINDOW))


def estimated_loss(model: Reader[State], ids: Ids, part: tuple[int, int] = (0, 1)) -> Loss:
    """Parallel columns over ids, int64[N]; see the module docstring for how it differs.

    Args:
        model: What is measured.
        ids: The text.
        part: Which part of the columns, and of how many; all of them, if they cannot be shared out
            equally.
    """
    # At least 64 predictions a column, so that the cold beginnings do not rule the figure.
    columns = max(1, min(_ESTIMATE_COLUMNS, len(ids) // 64))
    _, num_parts = part
    part = part if columns % num_parts == 0 else (0, 1)
    return _carried_loss(model, Columns(ids, columns, _PASS_WINDOW, part))


def cold_loss(model: Reader[State], ids: Ids, window: int = COLD_WINDOW) -> Loss:
    """Non-overlapping windows of ids, int64[N], each from the zero state.

    The last, shorter piece is left out, so that every window has the same amount of past.

    Raises:
        CorpusError: ids are shorter than one window.
    """
    return _mean_loss(model, cold_batches(ids, window), carry=False)


def cold_batches(ids: Ids, window: int = COLD_WINDOW) -> Iterator[Window]:
    """The windows of `cold_loss`, several to a batch: int64[window, <= 64] each.

    Raises:
        CorpusError: ids are shorter than one window.
    """
    num_windows = (len(ids) - 1) // window
    if num_windows < 1:
        raise CorpusError(f"{len(ids)} tokens are too few for a cold window of {window}")
    for first in range(0, num_windows, _COLD_ROWS):
        rows = min(_COLD_ROWS, num_windows - first)
        part = ids[first * window : (first + rows) * window + 1].astype(np.int64)
        yield Window(
            torch.from_numpy(part[:-1].reshape(rows, window).T.copy()),
            torch.from_numpy(part[1:].reshape(rows, window).T.copy()),
        )


def _carried_loss(model: Reader[State], columns: Columns) -> Loss:
    return _mean_loss(model, columns, carry=True)


def _mean_loss(model: Reader[State], windows: Iterable[Window], *, carry: bool) -> Loss:
    """Sum in float64 over windows."""
    total = 0.0
    num_tokens = 0
    state: State | None = None
    with _evaluating(model):
        for window in windows:
            if state is None or not carry:
                state = model.zero_state(window.inputs_TB.shape[1])
            reading = model.read(window.inputs_TB, window.targets_TB, state)
            state = reading.state
            total += float(reading.nats_TB.sum(dtype=torch.float64))
            num_tokens += window.num_tokens
    return Loss(total / num_tokens, num_tokens)


@contextmanager
def _evaluating(model: object) -> Iterator[None]:
    """Without gradients; a model in torch without dropout, and afterwards in the mode of before."""
    with torch.inference_mode():
        if not isinstance(model, nn.Module):
            yield
            return
        was_training = model.training
        model.eval()
        yield
        model.train(was_training)
