"""A corpus: records of text that are read anew each time, and its parts.

Nothing here holds the text: a corpus may be larger than the memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from training.errors import CorpusError

HeldOutPart = Literal["validation", "test"]

Records = Callable[[], Iterator[str]]
"""Reads a text from its beginning, piece by piece; a piece ends where a line does."""


@dataclass(frozen=True)
class Texts:
    """The characters from `start` to `stop` of a text, in pieces, each time anew."""

    records: Records
    start: int
    stop: int

    @property
    def num_characters(self) -> int:
        """How many."""
        return self.stop - self.start

    def __iter__(self) -> Iterator[str]:
        position = 0
        for record in self.records():
            first, last = max(0, self.start - position), min(len(record), self.stop - position)
            if first < last:
                yield record[first:last]
            position += len(record)
            if position >= self.stop:
                return

    def read(self) -> str:
        """All of it at once, for texts that are known to be small."""
        return "".join(self)


@dataclass(frozen=True)
class Corpus:
    """A text, split into what is trained on and what is held out, and where it came from."""

    name: str
    source: str
    licence: str | None
    sha256: str
    """Of the file's bytes; of several files, of the list of their checksums."""
    train: Texts
    validation: Texts
    """Held out; looked at while training."""
    test: Texts | None = None
    """Held out and looked at once, where a corpus comes with such a part."""
    has_items: bool = False
    """Whether each record is a text by itself, with a beginning and an end to be learned."""
    units: Literal["lines", "paragraphs", "files", "documents"] = "lines"
    """Of what it consists, that may stand in it twice; all but lines are records."""
    notes: tuple[str, ...] = ()
    """What people should know of how it was read: bytes that were replaced or left out."""
    remarks: tuple[str, ...] = ()
    """What was read, left out and held out, in a line each: for whoever trains on it."""

    def held_out(self, part: HeldOutPart) -> Texts:
        """One of the parts that are not trained on.

        Raises:
            CorpusError: there is no test part.
        """
        if part == "validation":
            return self.validation
        if self.test is None:
            raise CorpusError(f"the corpus {self.name!r} has no test part, only a validation part")
        return self.test

    @property
    def num_characters(self) -> int:
        """Characters of all parts."""
        parts = (self.train, self.validation, self.test)
        return sum(part.num_characters for part in parts if part is not None)
