"""Token ids to text, one id at a time: what was given is never taken back, and nothing is lost.

Takes linear time. How an id becomes text is read from the decoder of the tokenizer.json once, in
`pieces.py`; what cannot be read so is decoded with the few ids before it, by the library.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from typing import Protocol

from tokenizers import Tokenizer as HuggingFaceTokenizer

from service.artifacts.pieces import Pieces, special_ids

_BROKEN = "\N{REPLACEMENT CHARACTER}"


class IncrementalDecoder(Protocol):
    """Ids in, text out, piece by piece.

    All pieces and `finish` put together are the text of all ids. What is not yet a whole character
    is held back until it is one, or cannot become one: then it is U+FFFD.

    Attributes:
        whole: Whether nothing is held back: the text ends where the last token does.
        owed: How many characters, at the beginning of what `push` gave last, are the end of the
            tokens before: what they began did not go on.
    """

    whole: bool
    owed: int

    def push(self, token_id: int) -> str:
        """The text that is certain now; empty while a character is incomplete."""

    def push_whole(self, token_ids: Sequence[int]) -> str | None:
        """The text of several ids at once, if each has one and nothing is held back around them.

        None if that is not so, or is not known; then nothing was taken in.
        """

    def finish(self) -> str:
        """What is held back, with U+FFFD for an incomplete character. Nothing comes after it."""


class PieceDecoder:
    """An incremental decoder for ids that have a text of their own each, or bytes of one."""

    def __init__(self, pieces: Pieces) -> None:
        self.whole = True
        self.owed = 0
        self._rest = pieces.rest
        self._pieces = pieces.first
        self._one_mark_a_byte = pieces.one_mark_a_byte
        self._edits = [edit() for edit in pieces.edits]
        # The beginning of a character, three bytes at most.
        self._incomplete = b""

    def push(self, token_id: int) -> str:
        """The text that is certain now."""
        piece = self._pieces[token_id]
        broken = ""
        if piece is None:
            text = ""
        else:
            self._pieces = self._rest
            if self._incomplete and not self._goes_on(piece):
                broken = self._break()
            text = piece if isinstance(piece, str) else self._characters(piece)
        if self._edits:
            return self._edited(broken, text)
        self.whole = not self._incomplete
        self.owed = len(broken)
        return broken + text

    def push_whole(self, token_ids: Sequence[int]) -> str | None:
        """The text of several ids at once, where each is whole characters."""
        if self._edits or self._incomplete or self._pieces is not self._rest:
            return None
        pieces = [self._rest[token_id] for token_id in token_ids]
        # An empty one ends where the next one does.
        if not all(pieces) or not all(type(piece) is str for piece in pieces):
            return None
        self.owed = 0
        return "".join(pieces)  # type: ignore[arg-type]

    def finish(self) -> str:
        """What is held back."""
        text = self._break()
        for edit in self._edits:
            text = edit.feed(text) + edit.finish()
        self.whole = True
        return text

    def _goes_on(self, piece: str | bytes) -> bool:
        """Whether the incomplete character goes on with the piece."""
        if isinstance(piece, str):
            return False
        try:
            codecs.utf_8_decode(self._incomplete + piece[:1], "strict", False)
        except UnicodeDecodeError:
            return False
        return True

    def _break(self) -> str:
        marks = len(self._incomplete) if self._one_mark_a_byte else bool(self._incomplete)
        self._incomplete = b""
        return _BROKEN * marks

    def _characters(self, piece: bytes) -> str:
        found = self._incomplete + piece
        text, num_bytes = codecs.utf_8_decode(found, "replace", False)
        self._incomplete = found[num_bytes:]
        # Python waits for the rest of a surrogate, though UTF-8 has none.
        if self._incomplete[:1] == b"\xed" and self._incomplete[1:] >= b"\xa0":
            text += _BROKEN * 2
            self._incomplete = b""
        return text

    def _edited(self, broken: str, text: str) -> str:
        self.owed = 0
        if broken:
            for edit in self._edits:
                broken = edit.feed(broken)
            # No token ends in the midst of what an edit holds back.
            self.owed = len(broken) if all(edit.whole for edit in self._edits) else 0
        self.whole = not self._incomplete
        for edit in self._edits:
            text = edit.feed(text)
            self.whole = self.whole and edit.whole
        return broken + text


class WindowDecoder:
    """An incremental decoder for all others: decodes the last few ids again with each new one.

    Exact if the text of an id depends on no more than the eight before it, and no id changes what
    stands already.
    """

    _NUM_BEFORE = 8
    # Of four bytes is the longest character, and an id has one at least.
    _MAX_INCOMPLETE = 3

    def __init__(self, tokenizer: HuggingFaceTokenizer) -> None:
        self.whole = True
        self.owed = 0
        self._tokenizer = tokenizer
        self._special = special_ids(tokenizer)
        self._ids: list[int] = []
        self._given = ""
        self._num_incomplete = 0

    def push(self, token_id: int) -> str:
        """The text that is certain now."""
        if token_id in self._special:
            return ""
        self._ids.append(token_id)
        text = self._text()
        if text.endswith(_BROKEN) and self._num_incomplete < self._MAX_INCOMPLETE:
            self._num_incomplete += 1
            self.whole = False
            return ""
        return self._give(text)

    def push_whole(self, token_ids: Sequence[int]) -> str | None:
        """Not known here: None."""
        del token_ids
        return None

    def finish(self) -> str:
        """What is held back."""
        return self._give(self._text())

    def _text(self) -> str:
        return str(self._tokenizer.decode(self._ids, skip_special_tokens=True))

    def _give(self, text: str) -> str:
        new = text[_num_common(text, self._given) :]
        if len(self._ids) >= 2 * self._NUM_BEFORE:
            self._ids = self._ids[-self._NUM_BEFORE :]
            text = self._text()
        self._given = text
        self._num_incomplete = 0
        self.whole = True
        return new


def _num_common(one: str, other: str) -> int:
    """How many characters at their beginnings are equal."""
    if one.startswith(other):
        return len(other)
    return next(n for n in range(len(other)) if one[n : n + 1] != other[n])
