"""How many held-out tokens are unknown, and how many there are for a character."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from tests.training.tiny import TinyRun
from training.batches import shares
from training.batches.shares import Shares, shares_in


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_unknown_tokens_are_counted(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In pieces, whatever their size."""
    monkeypatch.setattr(shares, "_CHUNK", chunk)
    ids = np.array([0, 3, 3, 1, 3, 2, 0, 3], np.int64)
    assert Shares.of(ids, 16, 3) == Shares(0.5, 0.5)
    assert Shares.of(ids, 8, None).unknown_in_words == "-"
    assert Shares.of(ids, 8, 9).unknown_in_words == "0.00%"


def test_a_loss_is_shared_out_among_characters() -> None:
    """Two characters for a token halve it."""
    words = Shares(0.0, 0.5)
    assert words.bits_per_character(math.log(16.0)) == pytest.approx(2.0)
    assert words.perplexity_per_character(math.log(16.0)) == pytest.approx(4.0)


def test_shares_of_a_run_are_found_where_its_tokens_lie(tiny_run: TinyRun, tmp_path: Path) -> None:
    """None where they are gone, or damaged."""
    unknown = tiny_run.checkpoint.identity.special_ids.unknown
    expected = tiny_run.held_out.shares
    assert shares_in(tiny_run.folder.path / "tokens", unknown) == expected
    assert expected.tokens_per_character == 1.0
    assert shares_in(tmp_path, unknown) is None
    (tmp_path / "made_from.json").write_text("{}", encoding="utf-8")
    assert shares_in(tmp_path, unknown) is None
