"""Columns: the table of the docstring, and what makes carried state right."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from training.batches.columns import Columns
from training.errors import CorpusError


def test_docstring_table() -> None:
    """Letter by letter, the picture in `training/batches/columns.py` is what happens."""
    letters = np.asarray([ord(letter) for letter in "the_wind_and_the_sea"], dtype=np.int64)
    columns = Columns(letters, batch_size=3, window=3)
    table = [
        [
            " ".join(f"{chr(i)}→{chr(t)}" for i, t in zip(inputs, targets, strict=True))
            for inputs, targets in zip(window.inputs_TB, window.targets_TB, strict=True)
        ]
        for window in columns
    ]
    assert table == [
        ["t→h n→d _→t", "h→e d→_ t→h", "e→_ _→a h→e"],
        ["_→w a→n e→_", "w→i n→d _→s", "i→n d→_ s→e"],
    ]


@pytest.mark.parametrize(
    ("num_tokens", "batch_size", "window"), [(101, 1, 7), (100, 4, 5), (9, 8, 3)]
)
def test_windows_continue_each_other(num_tokens: int, batch_size: int, window: int) -> None:
    """Read downward, a column is a piece of the text, and its targets are the same shifted by 1."""
    ids = np.arange(num_tokens, dtype=np.int64)
    columns = Columns(ids, batch_size=batch_size, window=window)
    inputs_TB = torch.cat([part.inputs_TB for part in columns])
    targets_TB = torch.cat([part.targets_TB for part in columns])
    assert torch.equal(inputs_TB.t().flatten(), torch.arange(inputs_TB.numel()))
    assert torch.equal(targets_TB, inputs_TB + 1)
    assert num_tokens - inputs_TB.numel() <= batch_size
    assert len(list(columns)) == columns.num_windows


def test_last_window_may_be_shorter() -> None:
    """Nothing is dropped for the sake of a round number."""
    columns = Columns(np.arange(11, dtype=np.int64), batch_size=1, window=4)
    assert [window.num_tokens for window in columns] == [4, 4, 2]


def test_too_few_tokens_are_refused() -> None:
    """The message names the option that helps."""
    with pytest.raises(CorpusError, match=r"8 tokens are too few for 8 columns.*batch_size"):
        Columns(np.arange(8, dtype=np.int64), batch_size=8, window=4)
