"""Token ids to text, piece by piece: whole characters only, and never a part of a stop string."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol


class Decoder(Protocol):
    """Turns ids into text incrementally (see `artifacts.tokenizer.IncrementalDecoder`)."""

    def push(self, token_id: int) -> str:
        """The text that `token_id` completes, possibly none."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Text that is safe to show.

    Attributes:
        text: The text.
        num_released: Tokens whose text is now shown to its end; the first ones of the completion.
        stopped: A stop string was found: the text ends here, before it.
    """

    text: str
    num_released: int
    stopped: bool


class TextAssembler:
    """Assembles one completion.

    The text ends before the stop string that is complete first, whatever the pieces in which the
    tokens come: what might be the beginning of a stop string is held back until it is not.

    Args:
        decoder: A fresh incremental decoder.
        stops: Stop strings, none of them empty.

    Attributes:
        num_tokens: Tokens taken in.
        num_released: Those of them whose text is shown to its end.
        cut_inside_token: What is shown of the next one, if a cut fell inside of it; mostly empty.
    """

    def __init__(self, decoder: Decoder, stops: Sequence[str]) -> None:
        self._decoder = decoder
        self._stops = stops
        self._beginnings = {stop[:n] for stop in stops for n in range(1, len(stop))}
        self._longest_beginning = max((len(stop) for stop in stops), default=1) - 1
        self._held = ""
        self._num_shown = 0
        # Where the text of each token ends, for the tokens that are not yet shown to their end.
        self._ends: deque[int] = deque()
        self._num_decoded = 0
        self._num_textless = 0
        self._released_end = 0
        self.num_tokens = 0
        self.num_released = 0
        self.cut_inside_token = ""

    def push(self, token_ids: Iterable[int]) -> Piece:
        """Take in tokens; once a stop string is complete, the rest of them are ignored."""
        for token_id in token_ids:
            self._decode(token_id)
            if self._stops and (cut := self._find_stop()) is not None:
                return self._show(cut, stopped=True)
        return self._show(len(self._held) - self._num_withheld(), stopped=False)

    def finish(self) -> Piece:
        """The rest: what was held back was no stop string after all."""
        self._ends.extend([self._num_decoded] * self._num_textless)
        self._num_textless = 0
        return self._show(len(self._held), stopped=False)

    def _decode(self, token_id: int) -> None:
        text = self._decoder.push(token_id)
        self.num_tokens += 1
        self._num_textless += 1
        if text:
            # Tokens without a text of their own (half a character) end where the character does.
            self._held += text
            self._num_decoded += len(text)
            self._ends.extend([self._num_decoded] * self._num_textless)
            self._num_textless = 0

    def _find_stop(self) -> int | None:
        """Where the stop string that ends first begins in the held text, if there is one."""
        found = [
            (start + len(stop), start)
            for stop in self._stops
            if (start := self._held.find(stop)) >= 0
        ]
        return min(found)[1] if found else None

    def _num_withheld(self) -> int:
        """Length of the longest end of the held text that may be the beginning of a stop string."""
        for length in range(min(self._longest_beginning, len(self._held)), 0, -1):
            if self._held[-length:] in self._beginnings:
                return length
        return 0

    def _show(self, length: int, *, stopped: bool) -> Piece:
        text, self._held = self._held[:length], self._held[length:]
        self._num_shown += len(text)
        while self._ends and self._ends[0] <= self._num_shown:
            self._released_end = self._ends.popleft()
            self.num_released += 1
        shown = self.cut_inside_token + text
        self.cut_inside_token = shown[len(shown) - (self._num_shown - self._released_end) :]
        return Piece(text, self.num_released, stopped)
