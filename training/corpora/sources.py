"""The records of all files of a corpus, cleaned, in the order in which they are trained on."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from training.config.text import CorpusConfig
from training.corpora.cleaning import Clean
from training.corpora.corpus import Records
from training.corpora.decoded import Decoding
from training.corpora.documents import left_out, read_documents
from training.corpora.plain import read_lines, read_paragraphs, read_pieces
from training.corpora.record_texts import Tally
from training.waiting import SILENT, Waiting


class Source:
    """Files as one text, read anew each time; only what is shuffled is held.

    Args:
        files: In order.
        config: How they are read.
        clean: What is done to each record.
        decoding: How bytes are read, and what was found out of them.
        waiting: Shows how far the reading of all of it is.
    """

    def __init__(
        self,
        files: Sequence[Path],
        config: CorpusConfig,
        clean: Clean,
        decoding: Decoding,
        waiting: Waiting = SILENT,
    ) -> None:
        self._files = tuple(files)
        self._config = config
        self._clean = clean
        self._decoding = decoding
        self._waiting = waiting
        self._tally: Tally = Counter()
        self._shuffled: list[str] | None = None
        if config.shuffled:
            # In a fixed order, so that a sorted list does not hold out records of another kind.
            with waiting.during("reading the text") as work:
                self._shuffled = [*work.over(self._from_files(self._tally))]
            random.Random(0).shuffle(self._shuffled)

    @property
    def records(self) -> Records:
        """Reads all of it."""
        shuffled = self._shuffled
        return self._from_files if shuffled is None else lambda: iter(shuffled)

    def in_order(self, order: Sequence[int]) -> Source:
        """The same files in another order."""
        files = [self._files[number] for number in order]
        return Source(files, self._config, self._clean, self._decoding, self._waiting)

    def lengths(self) -> list[int]:
        """Characters of each file; of what is shuffled, of all of them together."""
        if self._shuffled is not None:
            return [sum(map(len, self._shuffled))]
        self._tally = Counter()
        lengths = []
        with self._waiting.during("reading the text") as work:
            for number in range(len(self._files)):
                records = work.over(self._of_file(number, self._tally))
                lengths.append(sum(map(len, records)))
        return lengths

    def left_out(self) -> str:
        """What of the documents is left out, in words: known when they were counted."""
        return left_out(self._tally)

    def _from_files(self, tally: Tally | None = None) -> Iterator[str]:
        for number in range(len(self._files)):
            yield from self._of_file(number, tally)

    def _of_file(self, number: int, tally: Tally | None) -> Iterator[str]:
        record = ""
        for record in records_of_file(self._files[number], self._config, self._decoding, tally):
            yield self._clean(record)
        is_last = number + 1 == len(self._files)
        if not is_last and not self._config.items and not record.endswith("\n"):
            yield "\n"  # the next file begins on a line of its own


def records_of_file(
    file: Path, config: CorpusConfig, decoding: Decoding | None = None, tally: Tally | None = None
) -> Iterator[str]:
    """What one file holds: items as they are, documents of a text with a blank line after each.

    Args:
        file: In the config's format.
        config: What it is.
        decoding: How its bytes are read, and what was found out of it; None: as `config` says.
        tally: Is told what is left out.

    Raises:
        CorpusError: it cannot be read so.
    """
    decoding = decoding or Decoding.of(config)
    match config.format, config.items:
        case "text", "lines":
            return (line for line in read_lines(file, decoding) if line)
        case "text", "paragraphs":
            return read_paragraphs(file, decoding)
        case "text", "files":
            return (text for text in ["".join(read_pieces(file, decoding)).strip("\n")] if text)
        case (("jsonl" | "csv" | "wet"), _):
            documents = read_documents(file, config, decoding, tally)
            return documents if config.items else (t.rstrip("\n") + "\n\n" for t in documents)
        case _:
            return read_pieces(file, decoding)
