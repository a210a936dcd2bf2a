"""Losses, against a computation by hand."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from training.batches.columns import Columns
from training.config.model import ModelConfig
from training.errors import CorpusError
from training.evaluation.losses import Loss, cold_loss, estimated_loss, stateful_loss
from training.models.build import build_model
from training.models.language_model import RecurrentLanguageModel
from training.models.output import Softmax
from training.models.step import LanguageModelStep

VOCABULARY = 9


@pytest.fixture(scope="module")
def model() -> RecurrentLanguageModel:
    """Random and decided: its losses differ from ln V and depend on the past."""
    torch.manual_seed(1)
    config = ModelConfig(hidden_size=5, embedding_size=4, dropout_output=0.5)
    model = build_model(config, VOCABULARY)
    assert isinstance(model, RecurrentLanguageModel)
    assert isinstance(model.output, Softmax)
    with torch.no_grad():
        model.output.weight.mul_(30.0)
    return model


@pytest.fixture(scope="module")
def ids() -> NDArray[np.int64]:
    """600 tokens: more than one window of any kind."""
    return np.random.default_rng(2).integers(0, VOCABULARY, 600)


def by_hand(model: RecurrentLanguageModel, ids: NDArray[np.int64], reset_every: int) -> list[float]:
    """-ln p of every next token, one step at a time, by the textbook cell and plain arithmetic."""
    step = LanguageModelStep(model)
    nats = []
    for position, (token, target) in enumerate(pairwise(ids.tolist())):
        if position % reset_every == 0:
            state = [torch.zeros(1, 5) for _ in step.state_names]
        with torch.inference_mode():
            logits, *state = step(torch.tensor([token]), *state)
        scores = [math.exp(score) for score in logits[0].tolist()]
        nats.append(-math.log(scores[target] / sum(scores)))
    return nats


def test_stateful_loss(model: RecurrentLanguageModel, ids: NDArray[np.int64]) -> None:
    """One pass, never reset, every token but the first predicted."""
    wanted = by_hand(model, ids, reset_every=10_000)
    loss = stateful_loss(model, ids)
    assert loss.num_tokens == 599
    assert loss.nats == pytest.approx(sum(wanted) / 599, rel=1e-5)


def test_cold_loss(model: RecurrentLanguageModel, ids: NDArray[np.int64]) -> None:
    """Windows begin from zero; the rest that fills no window is left out."""
    wanted = by_hand(model, ids, reset_every=50)[:550]
    loss = cold_loss(model, ids, window=50)
    assert loss.num_tokens == 550
    assert loss.nats == pytest.approx(sum(wanted) / 550, rel=1e-5)
    assert loss.nats != pytest.approx(stateful_loss(model, ids[:551]).nats, rel=1e-4)


def test_estimate_is_a_stateful_pass_in_columns(
    model: RecurrentLanguageModel, ids: NDArray[np.int64]
) -> None:
    """600 tokens make 9 columns of 66, each beginning cold."""
    loss = estimated_loss(model, ids)
    assert loss.num_tokens == 9 * 66
    [columns] = Columns(ids, batch_size=9, window=66)
    wanted = [
        by_hand(model, np.append(inputs, targets[-1]), reset_every=10_000)
        for inputs, targets in zip(
            columns.inputs_TB.t().numpy(), columns.targets_TB.t().numpy(), strict=True
        )
    ]
    assert loss.nats == pytest.approx(float(np.mean(wanted)), rel=1e-5)


def test_parts_of_an_estimate(model: RecurrentLanguageModel, ids: NDArray[np.int64]) -> None:
    """Equal parts, which together are all columns; or all of them, where 9 cannot be halved."""
    parts = [estimated_loss(model, ids, (number, 3)) for number in range(3)]
    assert [part.num_tokens for part in parts] == [3 * 66] * 3
    whole = estimated_loss(model, ids)
    assert np.mean([part.nats for part in parts]) == pytest.approx(whole.nats, rel=1e-6)
    assert estimated_loss(model, ids, (1, 2)) == whole


def test_looking_changes_nothing(model: RecurrentLanguageModel, ids: NDArray[np.int64]) -> None:
    """Dropout is off while looking, back on afterwards, and no random number is used up."""
    model.train()
    before = torch.get_rng_state()
    assert stateful_loss(model, ids).nats == stateful_loss(model, ids).nats
    assert model.training
    assert torch.equal(torch.get_rng_state(), before)


def test_units() -> None:
    """A fair coin costs one bit, ln 2 nats, and leaves two choices."""
    coin = Loss(nats=math.log(2.0), num_tokens=1)
    assert (coin.bits, coin.perplexity) == (pytest.approx(1.0), pytest.approx(2.0))


def test_too_short_for_a_cold_window(model: RecurrentLanguageModel) -> None:
    """256 tokens hold 255 predictions."""
    with pytest.raises(CorpusError, match="256 tokens are too few for a cold window of 256"):
        cold_loss(model, np.zeros(256, dtype=np.int64))
