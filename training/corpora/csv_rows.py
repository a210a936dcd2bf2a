"""One column of CSV and TSV, by the standard library's reader (RFC 4180)."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from training.corpora.decoded import Decoding
from training.corpora.opened import shown
from training.corpora.plain import STRICT, read_pieces
from training.errors import CorpusError

LONGEST_FIELD = 16 << 20
"""Characters: a quotation mark that is missing would make a field of the rest of the file."""
_DELIMITERS = (",", "\t", ";", "|")
_MOST_NAMES = 12


def read_column(
    path: Path, column: str, decoding: Decoding = STRICT, *, quoted: bool = True
) -> Iterator[str]:
    """The texts of one column, in the order of the rows; empty lines are skipped.

    Args:
        path: A table with a header; the delimiter is the one with which the header has the column.
        column: As the header calls it.
        decoding: How its bytes are read.
        quoted: Whether a field may stand in quotation marks, and hold delimiters and line ends.

    Raises:
        CorpusError: there is no such column, or a row is not like the header.
    """
    csv.field_size_limit(LONGEST_FIELD)
    delimiter, header = _header(path, column, decoding, quoted=quoted)
    place = header.index(column)
    began = 1
    rows = _rows(path, delimiter, decoding, quoted=quoted)
    try:
        is_header = True
        for ended, row in rows:
            where, began = f"{shown(path)}, line {began}", ended + 1
            if not row or is_header:
                is_header = is_header and not row
                continue
            if len(row) <= place or any(row[len(header) :]):
                raise CorpusError(
                    f"{where} has {len(row)} columns, the header has {len(header)}: does a text "
                    "hold a delimiter or a quotation mark and is not quoted?"
                )
            yield row[place]
    except csv.Error as error:
        raise CorpusError(
            f"{shown(path)}, line {began} cannot be read as CSV: {error}. If quotation marks are "
            "characters like others in this table: corpus.quoted = false"
        ) from error


def columns_of(path: Path, decoding: Decoding = STRICT) -> list[str]:
    """What its header seems to be."""
    return _best_header(_first_line(path, decoding), quoted=True)[1]


def _header(path: Path, column: str, decoding: Decoding, *, quoted: bool) -> tuple[str, list[str]]:
    line = _first_line(path, decoding)
    for delimiter in _DELIMITERS:
        names = _split(line, delimiter, quoted=quoted)
        if column in names:
            return delimiter, names
    if not line:
        raise CorpusError(f"{shown(path)} is empty: a table begins with the names of its columns")
    names = _best_header(line, quoted=quoted)[1]
    more = ", ..." if len(names) > _MOST_NAMES else ""
    raise CorpusError(
        f"{shown(path)} has no column {column!r} (corpus.text_field): the columns in its first "
        f"line are {', '.join(name[:40] for name in names[:_MOST_NAMES])}{more}"
    )


def _best_header(line: str, *, quoted: bool) -> tuple[str, list[str]]:
    headers = [(delimiter, _split(line, delimiter, quoted=quoted)) for delimiter in _DELIMITERS]
    return max(headers, key=lambda header: len(header[1]))


def _split(line: str, delimiter: str, *, quoted: bool) -> list[str]:
    quoting = _quoting(quoted=quoted)
    row: Sequence[str]
    try:
        row = next(csv.reader([line], delimiter=delimiter, quoting=quoting), [])
    except csv.Error:
        row = line.split(delimiter)
    return [name.strip() for name in row]


def _quoting(*, quoted: bool) -> Literal[0, 3]:
    return csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE


def _first_line(path: Path, decoding: Decoding) -> str:
    return next((line for line in _lines(path, decoding) if line.strip()), "")


def _rows(
    path: Path, delimiter: str, decoding: Decoding, *, quoted: bool
) -> Iterator[tuple[int, list[str]]]:
    """Each row, and the number of the line that it ends in."""
    quoting = _quoting(quoted=quoted)
    # Strict: else an open quotation mark would swallow what follows, and nobody would know.
    reader = csv.reader(_lines(path, decoding), delimiter=delimiter, quoting=quoting, strict=True)
    for row in reader:
        yield reader.line_num, row


def _lines(path: Path, decoding: Decoding) -> Iterator[str]:
    """With their ends: those within quotation marks belong to the text."""
    for piece in read_pieces(path, decoding):
        *whole, rest = piece.split("\n")
        for line in whole:
            yield line + "\n"
        if rest:
            yield rest
