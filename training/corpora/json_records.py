"""Records of a JSON file, one at a time: a line each, an array, or values that span lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from training.corpora.decoded import Decoding
from training.corpora.opened import shown
from training.corpora.plain import STRICT, read_lines, read_pieces
from training.errors import CorpusError

LONGEST_VALUE = 64 << 20
"""Characters of one record; nothing of a file is held but that."""
_CUT_OFF = "was the download cut off?"
_LITERALS = ("true", "false", "null", "NaN", "Infinity", "-Infinity")


@dataclass(frozen=True)
class JsonRecord:
    """A value, and where it stands: file and line, or its number."""

    value: object
    where: str


def read_json_records(path: Path, decoding: Decoding = STRICT) -> Iterator[JsonRecord]:
    """The values of a file.

    JSON lines are read line by line, empty ones are skipped. A file that begins with `[` is one
    array of records; where the first line alone is no JSON, records may span lines.

    Raises:
        CorpusError: it is not JSON, is cut off, or nested too deeply; the message says where.
    """
    lines = (line for line in read_lines(path, decoding) if line.strip())
    first, second = next(lines, ""), next(lines, None)
    if first.lstrip().startswith("["):
        return _values(path, decoding, are_in_array=True)
    if second is not None and _goes_on(first):
        return _values(path, decoding, are_in_array=False)
    return _of_lines(path, decoding)


def _of_lines(path: Path, decoding: Decoding) -> Iterator[JsonRecord]:
    lines = enumerate(_whole_lines(path, decoding), start=1)
    for number, line in lines:
        if not line.strip():
            continue
        where = f"{shown(path)}, line {number}"
        try:
            value = json.loads(line)
        except RecursionError:
            raise _too_deep(where) from None
        except ValueError as error:
            is_last = all(not later.strip() for _, later in lines)
            if is_last and isinstance(error, json.JSONDecodeError) and _is_cut(error):
                raise CorpusError(
                    f"{where}: the last line ends in the middle: {_CUT_OFF}"
                ) from error
            raise CorpusError(f"{where} is not JSON: {_problem(error)}") from error
        yield JsonRecord(value, where)


def _values(path: Path, decoding: Decoding, *, are_in_array: bool) -> Iterator[JsonRecord]:
    scanner = _Scanner(path, decoding)
    if are_in_array:
        scanner.skip()
        scanner.take("[")
    number = 0
    while sign := scanner.skip():
        if are_in_array and sign == "]":
            scanner.take("]")
            if scanner.skip():
                raise CorpusError(f"{scanner.where}: there is more after the end of the array")
            return
        if are_in_array and number:
            scanner.take(",")
        number += 1
        yield JsonRecord(scanner.value(), f"{shown(path)}, record {number}")
    if are_in_array:
        raise CorpusError(f"{shown(path)} ends in its array, after record {number}: {_CUT_OFF}")


class _Scanner:
    """A place in a text that is read as far as needed."""

    def __init__(self, path: Path, decoding: Decoding) -> None:
        self._path = path
        self._pieces = read_pieces(path, decoding)
        self._decoder = json.JSONDecoder()
        self._buffer = ""
        self._position = 0
        self._line = 1

    @property
    def where(self) -> str:
        """File and line."""
        line = self._line + self._buffer.count("\n", 0, self._position)
        return f"{shown(self._path)}, line {line}"

    def skip(self) -> str:
        """The next sign that is not white, "" at the end."""
        while True:
            rest = len(self._buffer)
            while self._position < rest and self._buffer[self._position] in " \t\n\r":
                self._position += 1
            if self._position < rest:
                return self._buffer[self._position]
            if not self._read_more():
                return ""

    def take(self, sign: str) -> None:
        """Go past a sign that must stand here."""
        if self.skip() != sign:
            raise CorpusError(f"{self.where} is not JSON: {sign!r} is missing")
        self._position += 1

    def value(self) -> object:
        """Go past the value that begins here."""
        self.skip()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._position)
            except RecursionError:
                raise _too_deep(self.where) from None
            except json.JSONDecodeError as error:
                if not _is_cut(error):
                    raise self._no_json(error) from error
                if not self._read_more():
                    raise CorpusError(
                        f"{shown(self._path)} ends in the middle of a record: {_CUT_OFF}"
                    ) from error
            except ValueError as error:
                raise CorpusError(f"{self.where} is not JSON: {_problem(error)}") from error
            else:
                # A number at the end of what was read may go on.
                if end < len(self._buffer) or self._buffer[end - 1] in '}]"':
                    self._position = end
                    return value
                if not self._read_more():
                    self._position = end
                    return value

    def _no_json(self, error: json.JSONDecodeError) -> CorpusError:
        self._position = error.pos
        return CorpusError(f"{self.where} is not JSON: {error.msg}")

    def _read_more(self) -> bool:
        """At least as much again as is waiting, so that a long value is not tried too often."""
        self._line += self._buffer.count("\n", 0, self._position)
        waiting = self._buffer[self._position :]
        parts, num_new = [waiting], 0
        if len(waiting) > LONGEST_VALUE:
            raise CorpusError(
                f"{self.where}: a record is longer than {LONGEST_VALUE:,} characters: write one "
                "record a line, and a longer text as several records"
            )
        while num_new <= len(waiting) and (piece := next(self._pieces, "")):
            parts.append(piece)
            num_new += len(piece)
        self._buffer, self._position = "".join(parts), 0
        return num_new > 0


def _whole_lines(path: Path, decoding: Decoding) -> Iterator[str]:
    """Also those that are so long that other texts would be read in parts of them."""
    parts: list[str] = []
    number = 1
    for piece in read_pieces(path, decoding):
        *whole, rest = piece.split("\n")
        for line in whole:
            yield "".join([*parts, line])
            parts = []
            number += 1
        if rest:
            parts.append(rest)
        if sum(map(len, parts)) > LONGEST_VALUE:
            raise CorpusError(
                f"{shown(path)}, line {number} is longer than {LONGEST_VALUE:,} characters: write "
                "one record a line, and a longer text as several records"
            )
    if parts:
        yield "".join(parts)


def _problem(error: ValueError) -> str:
    """What is wrong with a line, without the line and column that count from its own beginning."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at its character {error.pos + 1:,}"
    return "a number has too many digits"


def _goes_on(line: str) -> bool:
    """Whether a line may be the beginning of a value that goes on in the next one."""
    if not line.lstrip().startswith("{"):
        return False
    try:
        json.loads(line)
    except json.JSONDecodeError as error:
        return _is_cut(error) and not error.msg.startswith("Unterminated string")
    except (ValueError, RecursionError):
        return False
    return False


def _is_cut(error: json.JSONDecodeError) -> bool:
    """Whether what is wrong with a value is that it ends too early."""
    rest = error.doc[error.pos :].strip()
    if not rest or error.msg.startswith("Unterminated string"):
        return True
    if error.msg.startswith("Invalid \\"):
        return len(rest) < 8
    return any(literal.startswith(rest) and literal != rest for literal in _LITERALS)


def _too_deep(where: str) -> CorpusError:
    return CorpusError(f"{where} is nested too deeply: text lies in no such depth")
