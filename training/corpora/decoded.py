"""From bytes to cleaned characters, piece by piece; what is no text is refused by its place."""

from __future__ import annotations

import codecs
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Literal

from training.config.text import CorpusConfig
from training.corpora.cleaning import plain_lines
from training.corpora.encodings import common_name, escaped_encoding, marked_encoding, unmarked_wide
from training.corpora.opened import Opened, opened, shown
from training.corpora.undecodable import damaged, in_another_encoding, looks_like
from training.errors import CorpusError

_GOOD_FOR_A_BAD_ONE = 4
"""Wide characters that are as they should be, for each that is not: then only a few are damaged."""
_SURVEYED_PIECES = 64
"""How far bad bytes are counted before a text is refused: 64 MB."""


@dataclass(frozen=True)
class Decoding:
    """How bytes become characters.

    Attributes:
        encoding: Python's name; UTF-16 and UTF-32 with a byte order mark are read in any case.
        errors: What is done with bytes that are no character.
        allow_nul: Whether U+0000 is a character like others.
        damaged: File -> how many such places were replaced or left out, when it was last read.
    """

    encoding: str = "utf-8"
    errors: Literal["strict", "replace", "skip"] = "strict"
    allow_nul: bool = False
    damaged: dict[Path, int] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, config: CorpusConfig) -> Decoding:
        """As a config says."""
        return cls(config.encoding, config.errors, config.allow_nul)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to which file, for people."""
        done = "became U+FFFD" if self.errors == "replace" else "were left out"
        return tuple(
            f"{shown(path)}: bytes at {number:,} places are not {common_name(self.encoding)}; "
            f"they {done} (corpus.errors = {self.errors!r})"
            for path, number in self.damaged.items()
            if number
        )

    def require_no_nul(self, text: str, where: str) -> None:
        r"""For what is written otherwise in a file, such as JSON's `\\u0000`.

        Raises:
            CorpusError: it holds one.
        """
        if "\0" in text and not self.allow_nul:
            raise CorpusError(
                f"{where} holds a NUL character (U+0000), which no text has: take it out, or set "
                "corpus.allow_nul = true in a config if it belongs to the text"
            )


def decoded(path: Path, decoding: Decoding, piece_bytes: int) -> Iterator[str]:
    """A text in pieces, without byte order marks, every line ended by a newline.

    Raises:
        CorpusError: it cannot be read, is damaged, is no text or in another encoding, or holds
            NULs; the message names the file and the place, and says what to do.
    """
    with opened(path) as file:
        yield from _Pass(file, decoding).pieces(piece_bytes)


class _Pass:
    """One reading of one file."""

    def __init__(self, file: Opened, decoding: Decoding) -> None:
        self._file = file
        self._decoding = decoding
        self._encoding = _encoding_of(file, decoding)
        self._decoder = codecs.getincrementaldecoder(self._encoding)(_HANDLERS[decoding.errors])
        self._num_bytes = 0
        self._num_lines = 0
        self._num_wide = 0
        """How much longer the bytes are than the characters: of UTF-8, about the wide ones."""

    def pieces(self, piece_bytes: int) -> Iterator[str]:
        text = ""
        num_damaged = 0
        is_over = False
        while not is_over:
            chunk = self._file.file.read(piece_bytes)
            is_over = not chunk
            before = _found.count
            new = self._decode(chunk, is_over)
            num_damaged += _found.count - before
            self._num_bytes += len(chunk)
            self._num_wide += max(0, len(chunk) - len(new))
            text += new
            # What may be the first half of a Windows line end waits for the second.
            held = "" if is_over else _may_go_on(text)
            piece = plain_lines(text[: len(text) - len(held)])
            self._num_lines += piece.count("\n")
            text = held
            if piece:
                yield piece
        self._decoding.damaged[self._file.path] = num_damaged

    def _decode(self, chunk: bytes, is_over: bool) -> str:
        offset = self._num_bytes - len(self._decoder.getstate()[0])
        try:
            text = self._decoder.decode(chunk, is_over)
        except UnicodeDecodeError as error:
            content, start = bytes(error.object), error.start
            line = self._line(content[:start].decode(self._encoding, "replace"))
            place = f"byte {content[start]:#04x} at offset {offset + start} (line {line})"
            raise CorpusError(self._complaint(content, place)) from error
        if "\0" in text and not self._decoding.allow_nul:
            before = text[: text.index("\0")]
            at = offset + len(before.encode(self._encoding, "replace"))
            raise CorpusError(self._complaint_of_nul(at, self._line(before)))
        return text

    def _line(self, before: str) -> int:
        """The number of the line that begins after these characters of the present piece."""
        return self._num_lines + plain_lines(before).count("\n") + 1

    def _complaint(self, content: bytes, place: str) -> str:
        rest = (self._file.file.read(1 << 20) for _ in range(_SURVEYED_PIECES))
        decoder = codecs.getincrementaldecoder(self._encoding)(_HANDLERS["skip"])
        before = _found.count
        num_bytes = num_characters = 0
        for chunk in chain([content], rest):
            num_bytes += len(chunk)
            num_characters += len(decoder.decode(chunk))
        num_characters += len(decoder.decode(b"", final=True))
        num_bad = _found.count - before
        at_least = "at least " if self._file.file.read(1) else ""
        num_wide = self._num_wide + num_bytes - num_characters - num_bad
        places = f"{at_least}one place" if num_bad == 1 else f"{at_least}{num_bad:,} places"
        if num_wide >= _GOOD_FOR_A_BAD_ONE * num_bad:
            return damaged(self._file, self._encoding, f"{places}, the first of them {place}")
        return in_another_encoding(self._file, self._encoding, content, place, places)

    def _complaint_of_nul(self, offset: int, line: int) -> str:
        name = shown(self._file.path)
        if self._encoding == "utf-8" and (wide := unmarked_wide(self._file.head)) is not None:
            return looks_like(self._file, wide, "without a byte order mark")
        tr = self._file.command("tr -d '\\000'", "no-nul")
        return (
            f"{name} holds a NUL character (U+0000) at offset {offset} (line {line}), which no "
            f"text has: take them out by\n  {tr}\nor set corpus.allow_nul = true in a config if "
            "they belong to the text"
        )


def _encoding_of(file: Opened, decoding: Decoding) -> str:
    """What a file is read by.

    Raises:
        CorpusError: it begins as a text in another encoding than the one that was named.
    """
    asked, marked = decoding.encoding, marked_encoding(file.head)
    if marked is None:
        if asked in ("utf-16", "utf-32"):
            raise CorpusError(
                f"{shown(file.path)} has no byte order mark, which {asked} begins with: name "
                f"{asked}le (most files) or {asked}be by --encoding"
            )
        if asked == "utf-8" and (escaped := escaped_encoding(file.head)) is not None:
            raise CorpusError(looks_like(file, escaped, "by its escape sequences"))
        return asked
    if asked not in ("utf-8", marked, marked[:6]):
        raise CorpusError(
            f"{shown(file.path)} begins with the byte order mark of {common_name(marked)}, so it "
            f"is not {common_name(asked)}: leave out --encoding (corpus.encoding)"
        )
    return marked


def _may_go_on(text: str) -> str:
    """A carriage return at the end, with what will be dropped after it."""
    bare = text.rstrip("\ufeff")
    return text[len(bare) - 1 :] if bare.endswith("\r") else ""


class _Found(threading.local):
    count = 0


_found = _Found()
"""How often a handler was called in this thread: handlers are known by name, all over Python."""


def _replace(error: UnicodeError) -> tuple[str, int]:
    return _counted(error, "\ufffd")


def _skip(error: UnicodeError) -> tuple[str, int]:
    return _counted(error, "")


def _counted(error: UnicodeError, sign: str) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    _found.count += 1
    return sign, error.end


_HANDLERS = {"strict": "strict", "replace": "lstm-train.replace", "skip": "lstm-train.skip"}
codecs.register_error(_HANDLERS["replace"], _replace)
codecs.register_error(_HANDLERS["skip"], _skip)
