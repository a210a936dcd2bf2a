"""Texts by their tokens, and what is found in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from service.artifacts.store import ModelStore
from service.runtime.sampling import Sampling
from training.errors import ConfigError
from training.inside.reading import Inside, TokenText, written_by
from training.inside.survey import OPEN, SHUT, Unit, mean_by_count, survey, values_of
from training.served.step_model import StepModel, find_published

STORE = ModelStore(Path(__file__).parents[3] / "model_store")


def published(name: str) -> tuple[StepModel, Inside]:
    """A bundled model."""
    artifact = find_published(STORE, name)
    model = StepModel.of_artifact(artifact)
    return model, Inside(model, artifact)


def own_text(model: StepModel, num_tokens: int, temperature: float) -> TokenText:
    """What it writes."""
    sampling = Sampling(seed=0, temperature=temperature)
    return TokenText.of(model, written_by(model, num_tokens, sampling), num_tokens)


def test_items_are_looked_at_one_by_one():
    """A name is a line of its own, and its first letter is in column 0."""
    model, inside = published("names")
    text = TokenText.of(model, ["emma", "bo"], 100)

    assert ("", *"emma", "\n", "", *"bo", "\n") == text.pieces
    assert (0, 6) == text.starts
    assert [0, 0, 1, 2, 3, 4, 0, 0, 1, 2] == text.marks("column").tolist()
    assert [0, 1, 0, 0, 0, 0, 0, 1, 0, 0] == text.marks("line_start").tolist()
    assert (2,) == text.part(4, 4).starts
    assert {f"layer0.{each}" for each in ("i", "f", "o", "candidate", "h", "c")} == set(
        inside.widths
    )


def test_a_text_of_one_token_shows_nothing():
    """And says so."""
    model, _ = published("names")
    with pytest.raises(ConfigError, match="fewer than two"):
        TokenText.of(model, ["emma"], 1)


def test_a_survey_is_what_all_values_give():
    """Piece by piece as at once."""
    model, inside = published("names")
    text = own_text(model, 300, 0.7)
    found = survey(inside, text, "correlation", top=2)
    f_TW = values_of(inside, text, ["layer0.f"])["layer0.f"]
    gate = found.gates["layer0.f"]

    assert {"layer0.f", "layer0.i", "layer0.o"} == set(found.gates)
    assert ["layer0.f"] == list(found.keeping)
    np.testing.assert_allclose((f_TW > OPEN).mean(0), gate.open_W)
    np.testing.assert_allclose((f_TW < SHUT).mean(0), gate.shut_W)
    np.testing.assert_allclose(f_TW.mean(0), gate.mean_W, rtol=1e-5)
    np.testing.assert_allclose(1 / (1 - f_TW.mean(0)), gate.memory_tokens, rtol=1e-4)
    for detector, units in found.reactions.items():
        for unit in units:
            values_T = values_of(inside, text, [unit.activation])[unit.activation][:, unit.number]
            wanted = np.corrcoef(values_T, text.marks(detector))[0, 1]
            assert pytest.approx(wanted, abs=1e-4) == unit.score


def test_means_end_where_few_tokens_are_left():
    """Of each count the mean."""
    model, inside = published("names")
    text = own_text(model, 300, 0.7)
    unit = Unit("layer0.c", 181, 0.8)
    [mean_N] = mean_by_count(inside, text, "column", [unit]).values()
    values_T = values_of(inside, text, ["layer0.c"])["layer0.c"][:, 181]
    columns_T = text.marks("column")

    assert len(mean_N) < columns_T.max()
    for n, mean in enumerate(mean_N):
        assert pytest.approx(values_T[columns_T == n].mean(), abs=1e-5) == mean


@pytest.mark.parametrize(
    ("activation", "number", "detector", "least"),
    [
        ("layer0.c", 378, "column", 0.85),
        ("layer1.c", 24, "speaker", 0.75),
        ("layer0.f", 44, "line_start", -0.65),
    ],
)
def test_findings_of_docs_inside_are_found_again(
    activation: str, number: int, detector: str, least: float
):
    """In a text that `shakespeare` writes, a fifth of that of the page."""
    model, inside = published("shakespeare")
    text = own_text(model, 1000, 0.5)
    values_T = values_of(inside, text, [activation])[activation][:, number]
    r = float(np.corrcoef(values_T, text.marks(detector))[0, 1])

    assert r / least > 1
