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
from torch import Tensor

from training.batches.token_files import Ids
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
    """A text as `batch_size` parallel columns of equal length (see the module docstring).

    The ids stay where they are, which may be a file; a window is copied when it is asked for.

    Attributes:
        ids: The text.
        batch_size: Number of columns.
        window: T.
        part: Which part of the columns windows hold, and of how many parts.
    """

    ids: Ids
    batch_size: int
    window: int
    part: tuple[int, int] = (0, 1)

    def __post_init__(self) -> None:
        """Refuse less than one prediction per column.

        Raises:
            CorpusError: there is.
        """
        if self.num_rows < 1:
            raise CorpusError(
                f"{len(self.ids)} tokens are too few for {self.batch_size} columns: "
                "take a longer text or a smaller training.batch_size"
            )

    @property
    def num_rows(self) -> int:
        """Predictions of each column; up to `batch_size` tokens at the end are left over."""
        return (len(self.ids) - 1) // self.batch_size

    @property
    def num_windows(self) -> int:
        """Windows per epoch; the last one may be shorter."""
        return -(-self.num_rows // self.window)

    def __getitem__(self, index: int) -> Window:
        """Window number `index` of the epoch."""
        start = index * self.window
        stop = min(start + self.window, self.num_rows)
        return Window(self._rows(start, stop), self._rows(start + 1, stop + 1))

    def __iter__(self) -> Iterator[Window]:
        """All windows of one epoch, in reading order."""
        return (self[index] for index in range(self.num_windows))

    def _rows(self, start: int, stop: int) -> Tensor:
        """Places `start` to `stop` of all columns, int64[T, B]."""
        number, num_parts = self.part
        width = self.batch_size // num_parts
        firsts = np.arange(number * width, (number + 1) * width) * self.num_rows
        places_TB = np.arange(start, stop)[:, None] + firsts
        return torch.from_numpy(self.ids[places_TB].astype(np.int64))
