"""Lines and paragraphs: how many, how long, how many of them come more than once."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_REMEMBERED = 200_000
"""Different lines, or paragraphs, whose copies are counted; of more a sample is taken."""
LONGEST = 100_000
"""All longer ones are counted as being so long."""

_LONGEST_HELD = 1 << 20
"""Longer lines and paragraphs are read in parts."""


@dataclass(frozen=True)
class Pieces:
    """The lines of a text that are not empty, or its paragraphs.

    Attributes:
        lengths: How many there are of each length in characters, int64[LONGEST + 1].
        copies: The share that says again what another one has said.
        sampled: Of how many different ones one was looked at for `copies`; 1: all.
    """

    lengths: NDArray[np.int64]
    copies: float
    sampled: int

    @property
    def number(self) -> int:
        """How many."""
        return int(self.lengths.sum())

    def quantile(self, share: float) -> int:
        """The length that so many of them have at most."""
        if self.number == 0:
            return 0
        return int(np.searchsorted(np.cumsum(self.lengths), share * self.number))

    @property
    def longest(self) -> int:
        """In characters, LONGEST at most."""
        return int(np.flatnonzero(self.lengths).max(initial=0))


class PieceCounter:
    """Counts lengths and copies in a bounded amount of memory.

    Copies are counted of pieces whose checksum is a multiple of a power of two, which grows with
    the number of different pieces. All copies of a piece are in the sample, or none.
    """

    def __init__(self, max_remembered: int = MAX_REMEMBERED) -> None:
        self._max_remembered = max_remembered
        self._lengths = np.zeros(LONGEST + 1, np.int64)
        self._counts: Counter[int] = Counter()
        self._sampled = 1

    def read(self, pieces: list[str]) -> None:
        """Count some more."""
        lengths = np.fromiter(map(len, pieces), np.int64, len(pieces))
        self._lengths += np.bincount(np.minimum(lengths, LONGEST), minlength=LONGEST + 1)
        checksums = map(_checksum, pieces)
        self._counts.update(c for c in checksums if c % self._sampled == 0)
        while len(self._counts) > self._max_remembered:
            self._sampled *= 2
            kept = {c: n for c, n in self._counts.items() if c % self._sampled == 0}
            self._counts = Counter(kept)

    def counted(self) -> Pieces:
        """What has been read so far."""
        total = self._counts.total()
        copies = 1 - len(self._counts) / total if total else 0.0
        return Pieces(self._lengths, copies, self._sampled)


@dataclass(frozen=True)
class Layout:
    """How a text is laid out."""

    num_empty_lines: int
    lines: Pieces
    paragraphs: Pieces
    """What stands between empty lines."""

    @property
    def num_lines(self) -> int:
        """The empty ones too."""
        return self.num_empty_lines + self.lines.number


class LayoutCounter:
    """Reads a text block by block."""

    def __init__(self) -> None:
        self._rest = ""
        self._num_empty = 0
        self._lines, self._paragraphs = PieceCounter(), PieceCounter()
        self._paragraph: list[str] = []
        self._paragraph_size = 0

    def read(self, block: str) -> None:
        """Count what comes next."""
        *lines, self._rest = (self._rest + block).split("\n")
        if len(self._rest) > _LONGEST_HELD:  # no line end in sight, as in a genome
            lines, self._rest = [*lines, self._rest], ""
        self._count(lines)

    def layout(self) -> Layout:
        """Of all that was read; nothing can be read after it."""
        if self._rest:
            self._count([self._rest])
        self._count([""])
        return Layout(self._num_empty - 1, self._lines.counted(), self._paragraphs.counted())

    def _count(self, lines: list[str]) -> None:
        paragraphs: list[str] = []
        for line in lines:
            is_empty = not line.strip()
            if not is_empty:
                self._paragraph.append(line)
                self._paragraph_size += len(line) + 1
            if self._paragraph and (is_empty or self._paragraph_size > _LONGEST_HELD):
                paragraphs.append("\n".join(self._paragraph))
                self._paragraph, self._paragraph_size = [], 0
        full = [line for line in lines if line.strip()]
        self._num_empty += len(lines) - len(full)
        self._lines.read(full)
        self._paragraphs.read(paragraphs)


def _checksum(text: str) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")
