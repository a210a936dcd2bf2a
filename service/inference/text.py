"""Token ids to text, piece by piece: whole characters only, and never a part of a stop string."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from service.artifacts.incremental import IncrementalDecoder
from service.inference.stops import StopSearch


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
        stop_ids: Ids before which the text ends.

    Attributes:
        num_tokens: Tokens taken in.
        num_released: Those of them whose text is shown to its end.
        stopped_by: The stop string or the id that has ended the text.
    """

    def __init__(
        self, decoder: IncrementalDecoder, stops: Sequence[str], stop_ids: Collection[int] = ()
    ) -> None:
        self._decoder = decoder
        self._stop_ids = frozenset(stop_ids)
        self._stops = StopSearch(stops) if stops else None
        # What is not yet shown, in parts.
        self._held: list[str] = []
        self._num_shown = 0
        # Where the text of each token ends, for the tokens that are not yet shown to their end.
        self._ends: deque[int] = deque()
        self._num_decoded = 0
        self._num_endless = 0
        # What is shown after the last token that is shown to its end, in parts.
        self._cut: list[str] = []
        self.num_tokens = 0
        self.num_released = 0
        self.stopped_by: str | int | None = None

    @property
    def cut_inside_token(self) -> str:
        """What is shown of the next token, if a cut fell inside of it; mostly empty."""
        return "".join(self._cut)

    def push(self, token_ids: Sequence[int]) -> Piece:
        """Take in tokens; once one of them ends the text, the rest of them are ignored."""
        if not (self._stops or self._stop_ids or self._num_endless):
            text = self._decoder.push_whole(token_ids)
            if text is not None:
                return self._show_at_once(text, len(token_ids))
        for token_id in token_ids:
            if token_id in self._stop_ids:
                return self._end_before(token_id)
            text = self._decoder.push(token_id)
            self.num_tokens += 1
            self._book(text)
            if (end := self._take(text)) is not None:
                return self._show(end, stopped=True)
        num_begun = self._stops.num_begun if self._stops else 0
        return self._show(self._num_decoded - num_begun, stopped=False)

    def finish(self) -> Piece:
        """The rest: what was held back was no stop string after all, or is only now complete."""
        text = self._decoder.finish()
        self._num_decoded += len(text)
        self._end(self._num_decoded)
        end = self._take(text)
        return self._show(self._num_decoded if end is None else end, stopped=end is not None)

    def _show_at_once(self, text: str, num_tokens: int) -> Piece:
        """Text of tokens that are shown to their ends, with nothing held back before them."""
        self.num_tokens += num_tokens
        self.num_released += num_tokens
        self._num_decoded += len(text)
        self._num_shown = self._num_decoded
        self._cut = []
        return Piece(text, self.num_released, stopped=False)

    def _end_before(self, token_id: int) -> Piece:
        """The text ends here, unless what is held back is a stop string: that came first."""
        rest = self.finish()
        if not rest.stopped:
            self.stopped_by = token_id
        return replace(rest, stopped=True)

    def _book(self, text: str) -> None:
        """Where tokens end. Those without a text of their own end where the next one does."""
        if self._decoder.owed:
            self._end(self._num_decoded + self._decoder.owed)
        self._num_endless += 1
        self._num_decoded += len(text)
        # Half a character at its end, and the token ends with that.
        if text and self._decoder.whole:
            self._end(self._num_decoded)

    def _end(self, place: int) -> None:
        self._ends.extend([place] * self._num_endless)
        self._num_endless = 0

    def _take(self, text: str) -> int | None:
        """Hold the text back; where the whole text ends, if a stop string is complete in it."""
        if not text:
            return None
        self._held.append(text)
        if self._stops is None or (found := self._stops.feed(text)) is None:
            return None
        complete, length = found
        start = self._num_decoded - len(text) + complete - length
        place = start - self._num_shown
        self.stopped_by = "".join(self._held)[place : place + length]
        return start

    def _show(self, end: int, *, stopped: bool) -> Piece:
        """All that is held back, to this place."""
        held = "".join(self._held)
        length = end - self._num_shown
        text, rest = held[:length], held[length:]
        self._held = [rest] if rest else []
        self._num_shown = end
        token_end = None
        while self._ends and self._ends[0] <= end:
            token_end = self._ends.popleft()
            self.num_released += 1
        # A token ends in what is new: else it would have been shown to its end before.
        if token_end is not None:
            self._cut = [text[len(text) - (end - token_end) :]]
        elif text:
            self._cut.append(text)
        return Piece(text, self.num_released, stopped)
