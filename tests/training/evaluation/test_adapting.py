"""Models that learn while they are measured: against plain loops, and never in advance."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.training.models.small import VOCABULARY, small_model
from training.evaluation.adapting import cache_loss, dynamic_loss
from training.evaluation.losses import stateful_loss


@pytest.fixture(scope="module")
def repeating() -> NDArray[np.int64]:
    """A pattern of 40 tokens over and over: whoever remembers it knows the rest."""
    pattern = np.random.default_rng(1).integers(0, VOCABULARY, 40)
    return np.tile(pattern, 20)


def test_with_nothing_to_adapt_they_are_the_stateful_loss(repeating: NDArray[np.int64]) -> None:
    """A learning rate of 0, a cache without weight."""
    model = small_model()
    wanted = stateful_loss(model, repeating)
    assert dynamic_loss(model, repeating, learning_rate=0.0).nats == pytest.approx(wanted.nats)
    found = cache_loss(model, repeating, size=50, flatness=1.0, weight=0.0)
    assert found.nats == pytest.approx(wanted.nats, rel=1e-6)
    assert found.num_tokens == wanted.num_tokens


def test_they_learn_what_repeats(repeating: NDArray[np.int64]) -> None:
    """And leave the model as it was."""
    model = small_model()
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    plain = stateful_loss(model, repeating).nats
    assert dynamic_loss(model, repeating, learning_rate=0.5).nats < plain - 0.05
    assert cache_loss(model, repeating, size=200, flatness=3.0, weight=0.3).nats < plain - 0.05
    assert all(torch.equal(before[name], weight) for name, weight in model.named_parameters())


@pytest.mark.parametrize("num_tokens", [30, 66, 100])
@pytest.mark.parametrize("kind", ["dynamic", "cache"])
def test_nothing_is_known_in_advance(kind: str, num_tokens: int) -> None:
    """What a model gives to all tokens that may come next adds up to 1: it has not seen which."""
    model = small_model()
    ids = np.random.default_rng(2).integers(0, VOCABULARY, num_tokens)

    def total_nats(text: NDArray[np.int64]) -> float:
        if kind == "dynamic":
            loss = dynamic_loss(model, text, learning_rate=0.5)
        else:
            loss = cache_loss(model, text, size=20, flatness=1.0, weight=0.3)
        return loss.nats * loss.num_tokens

    before = total_nats(ids[:-1])
    last = [
        math.exp(before - total_nats(np.append(ids[:-1], token))) for token in range(VOCABULARY)
    ]
    assert sum(last) == pytest.approx(1.0, rel=1e-4)


def test_cache_by_hand() -> None:
    """Equation by equation, place by place, with a cache that is shorter than the text."""
    model = small_model()
    ids = np.random.default_rng(3).integers(0, VOCABULARY, 300)
    size, flatness, weight = 17, 0.7, 0.25
    with torch.inference_mode():
        reading = model.read(
            torch.from_numpy(ids[:-1])[:, None],
            torch.from_numpy(ids[1:])[:, None],
            model.zero_state(1),
        )
    hidden = reading.hidden_TBH[:, 0].double().numpy()
    total = 0.0
    for t, target in enumerate(ids[1:]):
        probability = math.exp(-float(reading.nats_TB[t, 0]))
        places = range(max(0, t - size), t)
        if places:
            scores = {i: math.exp(flatness * float(hidden[t] @ hidden[i])) for i in places}
            same = sum(score for i, score in scores.items() if ids[i + 1] == target)
            probability = (1 - weight) * probability + weight * same / sum(scores.values())
        total -= math.log(probability)
    found = cache_loss(model, ids, size=size, flatness=flatness, weight=weight)
    assert found.nats == pytest.approx(total / 299, rel=1e-6)
