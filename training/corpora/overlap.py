"""What stands in both parts of a corpus: a model knows it by heart, and its figures flatter."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from training.corpora.corpus import Corpus, Texts
from training.waiting import SILENT, Waiting, Work

LONG_ENOUGH = 40
"""Characters of a line; shorter ones are found twice in any text."""
MOST_UNITS = 200_000
"""That are compared: their numbers are all that is remembered of a text."""
_MUCH = 0.05


@dataclass(frozen=True)
class Overlap:
    """How much of the held-out part is trained on too.

    Attributes:
        kind: What was compared.
        num_held_out: How many of the held-out part were looked for in all of the training part.
        num_known: How many of them were found there.
        one_in: 1, or the held-out part is so large that one in so many was looked for.
    """

    kind: str
    num_held_out: int
    num_known: int
    one_in: int = 1

    @property
    def share(self) -> float:
        """Of those that were looked for."""
        return self.num_known / self.num_held_out if self.num_held_out else 0.0

    def remark(self) -> str:
        """In a line."""
        if not self.num_held_out:
            return f"held out: no {self.kind}, so nothing was looked for in the training part"
        sample = "" if self.one_in == 1 else f" (a sample, one in {self.one_in})"
        found = (
            f"held out: {self.num_known:,} of {self.num_held_out:,} {self.kind}{sample} stand in "
            f"the training part too ({self.share:.1%})"
        )
        if self.share < _MUCH:
            return found
        return (
            f"{found}: the figures flatter, they are partly of what was learned by heart"
            f"{self._cure()}"
        )

    def _cure(self) -> str:
        if self.kind.startswith("lines of"):
            return (
                ". --held-out-by files holds out whole files; items (with --items) keeps equal "
                "items together; in a config, corpus.held_out_by"
            )
        return ". --held-out-by items (corpus.held_out_by) keeps equal ones in one part"


def overlap(corpus: Corpus, waiting: Waiting = SILENT) -> Overlap:
    """Look for the held-out lines, or items, in the training part; each part is read once.

    Memory is bounded: at most 200,000 numbers are kept. Of more lines, those whose checksum is
    divisible by a power of two.
    """
    are_lines = corpus.units == "lines" and not corpus.has_items
    kind = f"lines of {LONG_ENOUGH} characters or more" if are_lines else corpus.units

    def units(part: Texts, work: Work) -> Iterable[str]:
        texts = work.over(part)
        return _long_lines(texts) if are_lines else texts

    num_characters = corpus.validation.num_characters + corpus.train.num_characters
    known: set[int] = set()
    what = "looking for the held-out text in what is trained on"
    with waiting.during(what, num_characters) as work:
        counts, one_in = _counted(units(corpus.validation, work))
        wanted = counts.keys()
        for unit in units(corpus.train, work):
            number = hash(unit)
            if number in wanted:
                known.add(number)
                if len(known) == len(wanted):
                    break
    num_known = sum(counts[number] for number in known)
    return Overlap(kind, sum(counts.values()), num_known, one_in)


def _long_lines(texts: Iterable[str]) -> Iterator[str]:
    for piece in texts:
        for line in piece.split("\n"):
            if len(line) >= LONG_ENOUGH:
                yield line


def _counted(units: Iterable[str]) -> tuple[dict[int, int], int]:
    """How many times each number occurs, and of how many units one was looked at."""
    counts: dict[int, int] = {}
    checksums: dict[int, int] = {}
    one_in = 1
    for unit in units:
        checksum = zlib.crc32(unit.encode("utf-8", "surrogatepass"))
        if checksum % one_in:
            continue
        number = hash(unit)
        counts[number] = counts.get(number, 0) + 1
        checksums[number] = checksum
        if len(counts) > MOST_UNITS:
            one_in *= 2
            checksums = {n: found for n, found in checksums.items() if found % one_in == 0}
            counts = {n: counts[n] for n in checksums}
    return counts, one_in
