"""Text in files, read in pieces of whole lines."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path

from training.corpora.decoded import Decoding, decoded

PIECE_BYTES = 1 << 20
_LONGEST_LINE = 16 << 20
"""A longer one is read in parts."""
STRICT = Decoding()
"""UTF-8, and nothing else."""


def read_pieces(path: Path, decoding: Decoding = STRICT) -> Iterator[str]:
    """A file's text; byte order marks are dropped, all line ends become newlines.

    Raises:
        CorpusError: it cannot be read, is damaged, or is no text in this encoding.
    """
    rest = ""
    for text in decoded(path, decoding, PIECE_BYTES):
        lines, newline, rest = (rest + text).rpartition("\n")
        if lines or newline:
            yield lines + newline
        if len(rest) > _LONGEST_LINE:
            end = _where_to_cut(rest)
            yield rest[:end]
            rest = rest[end:]
    if rest:
        yield rest


def _where_to_cut(line: str) -> int:
    """Before a space, else before what does not combine with the character before it.

    The pieces are cleaned each by itself: an accent stays with its letter.
    """
    nearby = range(len(line) - 1, max(0, len(line) - 4096), -1)
    for is_fine in (str.isspace, _begins_anew):
        for place in nearby:
            if is_fine(line[place]):
                return place
    return len(line)


def _begins_anew(character: str) -> bool:
    """No mark, and none of the parts that Korean syllables go on with."""
    return unicodedata.category(character)[0] != "M" and not "\u1160" <= character <= "\u11ff"


def read_lines(path: Path, decoding: Decoding = STRICT) -> Iterator[str]:
    """The lines of a file without their ends.

    Raises:
        CorpusError: see `read_pieces`.
    """
    for piece in read_pieces(path, decoding):
        yield from piece.removesuffix("\n").split("\n")


def read_paragraphs(path: Path, decoding: Decoding = STRICT) -> Iterator[str]:
    """What stands between blank lines, without the last line's end.

    Raises:
        CorpusError: see `read_pieces`.
    """
    lines: list[str] = []
    for line in read_lines(path, decoding):
        if line.strip():
            lines.append(line)
        elif lines:
            yield "\n".join(lines)
            lines = []
    if lines:
        yield "\n".join(lines)
