"""Calibration: what a model is sure of, made as sure as it is right.

A network that has read its text many times over gives its favourites too much. Dividing all logits
by one temperature, fitted to text that it was not trained on, mends that, and no token changes its
rank (Guo et al. 2017, arXiv:1706.04599). With z the logits, y the token that came and b = 1 / T,
the loss to be made smallest is convex in b:

    L(b) = mean(log sum exp(b z) - b z_y)
    L'(b) = mean(E[z] - z_y)        L''(b) = mean(Var[z])        under p = softmax(b z)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from training.batches.columns import Columns
from training.batches.token_files import Ids
from training.models.language_model import LanguageModel
from training.models.output import Output

ENOUGH_TOKENS = 1 << 17
"""The text is read so far; one number needs no more."""
_COLUMNS = 32
_WINDOW = 32
_MAX_STEPS = 20
_ACCURACY = 1e-4


@dataclass(frozen=True)
class Calibration:
    """A temperature, and what it was worth.

    Attributes:
        temperature: What logits are to be divided by.
        num_tokens: What it was fitted to.
        nats_before: Mean cross-entropy with the logits as they were.
        nats_after: The same with the temperature.
    """

    temperature: float
    num_tokens: int
    nats_before: float
    nats_after: float


_Batch = tuple[Tensor, Tensor]


class _Moments(NamedTuple):
    loss: float
    slope: float
    curvature: float


def fit_temperature(model: LanguageModel, ids: Ids) -> Calibration:
    """Newton's method for the temperature; one that the model has already is not looked at.

    Args:
        model: Trained, in evaluation mode; it is not changed.
        ids: Text that it was not trained on, int64[N], N >= 2.
    """
    with torch.inference_mode():
        return _fitted(model.output, list(_read(model, ids[:ENOUGH_TOKENS])))


def _fitted(output: Output, batches: Sequence[_Batch]) -> Calibration:
    num_tokens = sum(len(target_N) for _, target_N in batches)
    inverse = 1.0
    at = before = _moments(output, batches, inverse)
    for _ in range(_MAX_STEPS):
        if at.curvature <= 0.0:  # all logits are alike: no temperature makes a difference
            break
        # Far from the minimum Newton's step may be too long, even lead below 0.
        found = min(max(inverse - at.slope / at.curvature, inverse / 2), inverse * 2)
        is_close = abs(found - inverse) <= _ACCURACY * inverse
        inverse = found
        at = _moments(output, batches, inverse)
        if is_close:
            break
    return Calibration(1.0 / inverse, num_tokens, before.loss, at.loss)


def _read(model: LanguageModel, ids: Ids) -> Iterator[_Batch]:
    """Last hidden states float32[N, H] and targets int64[N], the state carried down the columns."""
    columns = Columns(ids, max(1, min(_COLUMNS, len(ids) // 64)), _WINDOW)
    state = model.zero_state(columns.batch_size)
    for window in columns:
        reading = model.read(window.inputs_TB, window.targets_TB, state)
        state = reading.state
        hidden_NH, target_N = reading.hidden_TBH.flatten(0, 1), window.targets_TB.flatten()
        yield from model.output.pieces(hidden_NH, target_N)


def _moments(output: Output, batches: Iterable[_Batch], inverse: float) -> _Moments:
    """L, L' and L'' at b = `inverse`."""
    sums = torch.zeros(3, dtype=torch.float64)
    num_tokens = 0
    for hidden_NH, target_N in batches:
        z_NV = output.logits(hidden_NH).float()
        log_p_NV = torch.log_softmax(inverse * z_NV, dim=1)
        p_NV = log_p_NV.exp()
        mean_N1 = (p_NV * z_NV).sum(1, keepdim=True)
        target_N1 = target_N[:, None]
        terms = (
            -log_p_NV.gather(1, target_N1),
            mean_N1 - z_NV.gather(1, target_N1),
            p_NV * (z_NV - mean_N1).square(),
        )
        sums += torch.stack([term.sum(dtype=torch.float64) for term in terms])
        num_tokens += len(target_N)
    return _Moments(*(sums / num_tokens).tolist())
