"""Rows of word vectors, and a count of those that are left out.

Of words that nobody wants only the shape of the row is looked at, and nothing is kept.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

Row = tuple[str, NDArray[np.float32]]

_LONGEST_WORD = 10_000
_LONGEST_LINE = 1 << 20
_LARGEST = 1e9
"""A number beyond it is damage, and would spoil mean and spread of all others."""
_HOPELESS_ROWS = 100
"""So many without a good one before them, and the file is no vectors."""
_TOLERATED_ROWS = 10
_TOLERATED_SHARE = 0.01
_NUMBER = re.compile(rb"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?(nan|inf|infinity)", re.I)

HEADER, BLANK, AGAIN = "header", "blank", "of a word that came before"
"""What is left out, but no damage."""


class RowCount:
    """What came of each row.

    Attributes:
        num_rows: That were read, good or not.
        line: Of the row that is read now; of words if binary.
        left_out: Reason -> how many, and the number of the first line (word, if binary).
        ending: What is wrong with the end of the file; None: nothing.
    """

    def __init__(self) -> None:
        self.num_rows = 0
        self.line = 0
        self.left_out: dict[str, tuple[int, int]] = {}
        self.ending: str | None = None

    @property
    def num_bad(self) -> int:
        """Rows that are damaged."""
        harmless = (HEADER, BLANK, AGAIN)
        return sum(count for why, (count, _) in self.left_out.items() if why not in harmless)

    def leave_out(self, reason: str, line: int) -> None:
        """Count a row that is not used."""
        count, first = self.left_out.get(reason, (0, line))
        self.left_out[reason] = count + 1, first

    def reasons(self, place: str) -> str:
        """All that was left out, in words."""
        return "; ".join(
            f"{count:,} {reason} (first: {place} {first:,})"
            for reason, (count, first) in self.left_out.items()
        )

    def require_mostly_good(self, place: str) -> None:
        """Refuse a file of which too much is damaged.

        Raises:
            ValueError: with the reasons.
        """
        bad, total = self.num_bad, self.num_rows
        if bad == total or (bad > _TOLERATED_ROWS and bad > _TOLERATED_SHARE * total):
            raise ValueError(
                f"{bad:,} of {total:,} rows are no vectors, more than is left out: "
                f"{self.reasons(place)}"
            )


def read_header(line: bytes) -> tuple[int, int] | None:
    """Number of words and their width, if a line is that."""
    parts = line.removeprefix(b"\xef\xbb\xbf").split()
    if len(parts) != 2 or not all(part.isdigit() and len(part) < 16 for part in parts):
        return None
    return int(parts[0]), int(parts[1])


def text_rows(
    file: BinaryIO,
    size: int,
    num_words: int | None,
    wanted: Container[str],
    count: RowCount,
) -> Iterator[Row]:
    """Rows of lines.

    Args:
        file: At its first line, or after the header.
        size: Numbers that each word should have.
        num_words: What the header says; None: there was none, and one that comes is left out.
        wanted: Words whose rows are given.
        count: Of what is read.

    Raises:
        ValueError: it is no file of vectors.
    """
    first_bad = b""
    for line in _lines(file, 1 if num_words is None else 2, size, count):
        # From the right: a few words of GloVe hold spaces themselves.
        parts = line.rsplit(None, size)
        word = parts[0].decode("utf-8", errors="replace")
        reason = _fault_of(parts, size, word)
        if reason is None and word in wanted:
            vector_E, reason = _numbers(parts[1:])
            if reason is None:
                yield word, vector_E
        if reason is not None:
            first_bad = first_bad or line
            count.leave_out(reason, count.line)
            if count.num_bad == count.num_rows == _HOPELESS_ROWS:
                break
    if 0 < count.num_rows == count.num_bad:
        raise ValueError(f"{likeness(first_bad, size)}: {count.reasons('line')}")
    if num_words is not None and count.num_rows != num_words:
        count.ending = f"its header says {num_words:,} words, it holds {count.num_rows:,} rows"


def _lines(file: BinaryIO, start: int, size: int, count: RowCount) -> Iterator[bytes]:
    """The lines that should be rows."""
    for number, line in enumerate(iter(lambda: file.readline(_LONGEST_LINE), b""), start=start):
        if len(line) == _LONGEST_LINE:
            raise ValueError(f"line {number:,} is longer than {_LONGEST_LINE:,} bytes: no vectors")
        if not line.strip():
            count.leave_out(BLANK, number)
        elif number == 1 and size > 1 and read_header(line) is not None:
            count.leave_out(HEADER, number)
        else:
            count.num_rows += 1
            count.line = number
            yield line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line


def likeness(line: bytes, size: int) -> str:
    """What a file looks like by a row, where no row is a vector of the size."""
    width = 0
    for part in reversed(line.split()[1:]):
        if _NUMBER.fullmatch(part) is None:
            break
        width += 1
    if width > 1 and width != size:
        return (
            f"its vectors have {width} numbers, model.embedding_size is {size}: "
            f"set embedding_size = {width} or take another file"
        )
    start = line.lstrip()[:1]
    if start in (b"{", b"["):
        kind = "JSON"
    elif start == b"<":
        kind = "a page of the web (HTML) or XML"
    elif line.count(b",") >= max(size - 1, 1):
        kind = "CSV; write spaces for its commas"
    elif b"\0" in line:
        kind = "no text at all"
    else:
        kind = "a text"
    return f"none of its rows is a word and {size} numbers; it looks like {kind}"


def _fault_of(parts: list[bytes], size: int, word: str) -> str | None:
    if len(parts) != size + 1:
        return f"with fewer than {size} numbers"
    if _NUMBER.fullmatch(parts[1]) is None:
        return f"with fewer than {size} numbers, or with what is no number"
    words = parts[0].split()
    if len(words) > 1 and _NUMBER.fullmatch(words[-1]) is not None:
        return f"with more than {size} numbers"
    if "\ufffd" in word:
        return "whose word is not UTF-8"
    return None


def _numbers(parts: list[bytes]) -> tuple[NDArray[np.float32], str | None]:
    try:
        vector_E = np.array([float(part) for part in parts])
    except ValueError:
        return np.empty(0, np.float32), "with what is no number"
    return vector_E.clip(-2 * _LARGEST, 2 * _LARGEST).astype(np.float32), _infinite(vector_E)


def _infinite(vector_E: NDArray[np.floating]) -> str | None:
    # "Not all are small" is true of nan too.
    return None if (np.abs(vector_E) < _LARGEST).all() else "with nan, infinity or beyond 1e9"


def binary_rows(
    file: BinaryIO, num_words: int, size: int, wanted: Container[str], count: RowCount
) -> Iterator[Row]:
    """Rows of `word2vec-binary`, after the header.

    Raises:
        ValueError: it is damaged; a file that ends too early is only noted in the count.
    """
    for number in range(1, num_words + 1):
        name = bytearray()
        while (sign := file.read(1)) not in (b" ", b""):
            if len(name) > _LONGEST_WORD:
                raise ValueError(f"it is damaged at word {number:,} of {num_words:,}")
            name += sign
        content = file.read(4 * size)
        if len(content) != 4 * size:
            count.ending = f"it ends in word {number:,} of {num_words:,}"
            return
        count.num_rows += 1
        count.line = number
        # Some writers end each vector with a line end.
        word = name.lstrip(b"\n").decode("utf-8", errors="replace")
        if "\ufffd" in word:
            count.leave_out("whose word is not UTF-8", number)
        elif word in wanted:
            vector_E = np.frombuffer(content, "<f4").astype(np.float32)
            if (reason := _infinite(vector_E)) is None:
                yield word, vector_E
            else:
                count.leave_out(reason, number)
    if file.read(2).strip():
        count.ending = f"more follows after the {num_words:,} words of its header"
