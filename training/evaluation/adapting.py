"""Losses of models that learn from the test text while they read it.

Both predict each token before they have seen it, so they are honest; but they adapt to the very
text that they are measured on, and their figures must not stand beside those of models that do not.
They are labelled so wherever they are shown.
"""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn

from training.batches.columns import Columns
from training.batches.token_files import Ids
from training.evaluation.losses import Loss
from training.models.language_model import LanguageModel, RecurrentLanguageModel

_WINDOW = 64
_CACHE_WINDOW = 256


def dynamic_loss(model: LanguageModel, ids: Ids, *, learning_rate: float) -> Loss:
    """Dynamic evaluation: after each window, one step of gradient descent on it.

    Mikolov et al. 2010; Krause et al. 2018, arXiv:1709.07432. The model itself stays as it is.

    Args:
        model: What begins.
        ids: The text, int64[N]; one stateful pass in windows of 64.
        learning_rate: Of plain gradient descent, clipped to norm 1.
    """
    learner = copy.deepcopy(model).eval()
    total, num_tokens = 0.0, 0
    state = learner.zero_state(1)
    for window in Columns(ids, batch_size=1, window=_WINDOW):
        reading = learner.read(window.inputs_TB, window.targets_TB, state)
        total += float(reading.nats_TB.detach().sum(dtype=torch.float64))
        num_tokens += window.num_tokens
        learner.zero_grad(set_to_none=True)
        torch.autograd.backward(reading.nats_TB.mean())
        nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
        with torch.no_grad():
            for weight in learner.parameters():
                if weight.grad is not None:
                    weight.sub_(learning_rate * weight.grad)
        state = tuple(part.detach() for part in reading.state)
    return Loss(total / num_tokens, num_tokens)


def cache_loss(
    model: RecurrentLanguageModel, ids: Ids, *, size: int, flatness: float, weight: float
) -> Loss:
    """A neural cache: what came after similar states of the last `size` tokens is likelier.

    Grave et al. 2017, arXiv:1612.04426, equations 2 and 3: with the hidden states h,

        p(w) = (1 - weight) p_model(w) + weight p_cache(w)
        p_cache(w) ~ sum over i < t with x_{i+1} = w of exp(flatness h_t h_i)

    Args:
        model: Unchanged.
        ids: The text, int64[N], read in one stateful pass.
        size: How many places are remembered.
        flatness: The paper's theta.
        weight: The paper's lambda.
    """
    total, num_tokens = 0.0, 0
    state = model.zero_state(1)
    hidden_PH = torch.zeros(0, model.stack.output_size)  # P places that are remembered
    next_P = torch.zeros(0, dtype=torch.int64)
    with torch.inference_mode():
        for window in Columns(ids, batch_size=1, window=_CACHE_WINDOW):
            reading = model.eval().read(window.inputs_TB, window.targets_TB, state)
            state, hidden_TH = reading.state, reading.hidden_TBH[:, 0]
            target_T = window.targets_TB[:, 0]
            hidden_PH = torch.cat([hidden_PH, hidden_TH])
            next_P = torch.cat([next_P, target_T])
            cached_T = _cache_probability(hidden_TH, target_T, hidden_PH, next_P, size, flatness)
            model_T = (-reading.nats_TB[:, 0].double()).exp()
            # At the beginning there is no cache, and the model is by itself.
            mixed_T = torch.where(
                cached_T.isnan(), model_T, (1.0 - weight) * model_T + weight * cached_T
            )
            total -= float(mixed_T.log().sum())
            num_tokens += window.num_tokens
            hidden_PH, next_P = hidden_PH[-size:], next_P[-size:]
    return Loss(total / num_tokens if num_tokens else math.nan, num_tokens)


def _cache_probability(
    hidden_TH: Tensor,
    target_T: Tensor,
    hidden_PH: Tensor,
    next_P: Tensor,
    size: int,
    flatness: float,
) -> Tensor:
    """p_cache of each target, float64[T]; NaN where nothing is remembered.

    The last T of the P places are the T themselves: each sees only what is before it.
    """
    num_places, num_targets = len(hidden_PH), len(hidden_TH)
    place_T1 = torch.arange(num_places - num_targets, num_places)[:, None]
    place_P = torch.arange(num_places)
    is_seen_TP = (place_P < place_T1) & (place_P >= place_T1 - size)
    score_TP = flatness * (hidden_TH.double() @ hidden_PH.double().t())
    weight_TP = torch.softmax(score_TP.masked_fill(~is_seen_TP, -torch.inf), dim=1)
    return (weight_TP * (next_P == target_T[:, None])).sum(dim=1)
