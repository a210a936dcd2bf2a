"""Scores of units, and what they are scored against."""

from __future__ import annotations

import numpy as np
import pytest

from service.runtime.inside.detectors import DETECTORS, by_token, marked
from service.runtime.inside.reactions import Correlation, MutualInformation

TEXT = 'ROMEO:\nShe said: "no"\n\nLADY A:\nNot now:\nyes'


@pytest.mark.parametrize(
    ("name", "characters"),
    [
        ("quotes", ['"no"']),
        ("speaker", ["ROMEO:", "LADY A:"]),
        ("line_start", ["R", "S", "L", "N", "y"]),
        ("line_end", [":", '"', ":", ":", "s"]),
        ("capitals", list("ROMEOSLADYAN")),
        ("first_line", ["ROMEO:"]),
    ],
)
def test_detectors(name: str, characters: list[str]):
    """What each of them marks."""
    marks = DETECTORS[name](TEXT)

    assert "".join(characters) == "".join(c for c, m in zip(TEXT, marks, strict=True) if m)
    assert len(TEXT) == len(marks)


def test_columns_begin_anew_after_a_line_break():
    """A break is the last of its line."""
    assert [0, 1, 2, 0, 1, 0] == DETECTORS["column"]("ab\nc\n\n").tolist()
    assert [0, 0, 0, 1, 1, 2] == DETECTORS["line"]("ab\nc\n\n").tolist()


def test_a_token_is_marked_if_one_of_its_characters_is():
    """And one that stands for nothing is not."""
    marks = marked([(2, 3)], 4)
    assert [0, 1, 0] == by_token(marks, [(0, 2), (1, 4), (3, 3)]).tolist()


def test_correlation_is_pearsons():
    """Of values that come in pieces and lie far off zero; a constant has none."""
    draws = np.random.default_rng(1)
    values_TW = draws.normal(50, 1, (90, 3)).astype(np.float32)
    values_TW[:, 2] = 7
    mark_T = (draws.random(90) < 0.3).astype(np.float32)
    values_TW[:, 0] += 2 * mark_T
    score = Correlation()
    for part in (slice(0, 64), slice(64, 90)):
        score.add(values_TW[part], mark_T[part])
    r = score.scores()

    for unit in (0, 1):
        wanted = np.corrcoef(values_TW[:, unit].astype(np.float64), mark_T)[0, 1]
        assert pytest.approx(wanted) == r[unit]
    assert r[0] > 0.5 > abs(r[1])
    assert 0 == r[2]


def test_mutual_information_is_in_bits():
    """One that tells all has the entropy of the mark, also if it does so without a correlation."""
    mark_T = np.array([1, 0, 0, 0] * 16, np.float32)
    tells = np.where(mark_T > 0, np.tile([0.9, 0, 0, 0, -0.9, 0, 0, 0], 8), 0)
    nothing = np.full(64, 0.3)
    values_TW = np.stack([mark_T, tells, nothing], axis=1).astype(np.float32)
    score, correlation = MutualInformation(is_bounded=True), Correlation()
    score.add(values_TW, mark_T)
    correlation.add(values_TW, mark_T)
    entropy = -(0.25 * np.log2(0.25) + 0.75 * np.log2(0.75))

    assert pytest.approx([entropy, entropy, 0]) == score.scores()
    assert pytest.approx([1, 0, 0]) == correlation.scores()


def test_a_cell_counts_by_its_tanh():
    """It has no bound: 2 and 20 are not one bin of -1..1 with 0."""
    mark_T = np.array([0, 1] * 8, np.float32)
    values_TW = np.where(mark_T[:, None] > 0, 20.0, 0.1).astype(np.float32)
    score = MutualInformation(is_bounded=False)
    score.add(values_TW, mark_T)

    assert pytest.approx([1.0]) == score.scores()
