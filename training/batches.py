"""Columns: how one long text becomes batches whose state can be carried.

Truncated back-propagation reads the text in windows and hands the state from one window to the
next. For that to mean anything, window k+1 of a row must continue the text where window k stopped.
So the text is cut into `batch_size` long pieces, each piece becomes a column, and windows are read
downward. For the text "the_wind_and_the_sea" with 3 columns and windows of 3 tokens (20 tokens,
one of them only a target, give 3 columns of 6 predictions; the last one is left over):

        column   0    1    2
               ┌──────────────┐
    window 0   │ t→h  n→d  _→t│    read "input→target";
               │ h→e  d→_  t→h│    time goes down, and the three columns
               │ e→_  _→a  h→e│    are computed side by side
               ├──────────────┤  ← here the state is carried, the gradient is cut
    window 1   │ _→w  a→n  e→_│
               │ w→i  n→d  _→s│
               │ i→n  d→_  s→e│
               └──────────────┘
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.errors import CorpusError


@dataclass(frozen=True)
class Window:
    """Inputs and targets of one truncated back-propagation, both int64[T, B]."""

    inputs_TB: Tensor
    targets_TB: Tensor

    @property
    def num_tokens(self) -> int:
        """Number of predictions, T * B."""
        return self.targets_TB.numel()


@dataclass(frozen=True)
class Columns:
    """A text as `batch_size` parallel columns of equal length (see the module docstring)."""

    inputs_TB: Tensor
    targets_TB: Tensor
    window: int

    @classmethod
    def from_ids(cls, ids: NDArray[np.int64], *, batch_size: int, window: int) -> Columns:
        """Cut ids, int64[N], into columns; up to `batch_size` tokens at the end are left over.

        Raises:
            CorpusError: fewer than one prediction per column.
        """
        num_rows = (len(ids) - 1) // batch_size
        if num_rows < 1:
            raise CorpusError(
                f"{len(ids)} tokens are too few for {batch_size} columns: "
                "take a longer text or a smaller training.batch_size"
            )
        used = num_rows * batch_size
        text = torch.from_numpy(ids)
        inputs_BT = text[:used].view(batch_size, num_rows)
        targets_BT = text[1 : used + 1].view(batch_size, num_rows)
        return cls(inputs_BT.t().contiguous(), targets_BT.t().contiguous(), window)

    @property
    def batch_size(self) -> int:
        """Number of columns."""
        return self.inputs_TB.shape[1]

    @property
    def num_windows(self) -> int:
        """Windows per epoch; the last one may be shorter."""
        return -(-self.inputs_TB.shape[0] // self.window)

    def __getitem__(self, index: int) -> Window:
        """Window number `index` of the epoch."""
        rows = slice(index * self.window, (index + 1) * self.window)
        return Window(self.inputs_TB[rows], self.targets_TB[rows])

    def __iter__(self) -> Iterator[Window]:
        """All windows of one epoch, in reading order."""
        return (self[index] for index in range(self.num_windows))
