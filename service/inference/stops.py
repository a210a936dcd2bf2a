"""The stop string that is complete first, in a text that comes in parts."""

from __future__ import annotations

from collections.abc import Sequence


class StopSearch:
    """Looks at every character once, however many stop strings there are (Aho & Corasick 1975).

    A state is a beginning of stop strings: the longest one that the text ends with. State 0 is the
    empty one. `_shorter` is the next longest.

    Args:
        stops: None of them empty.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._next: list[dict[str, int]] = [{}]
        self._length = [0]
        # Of the longest stop string that a state ends with.
        self._complete = [0]
        self._state = 0
        for stop in stops:
            self._add(stop)
        self._shorter = [0] * len(self._next)
        self._link()

    @property
    def num_begun(self) -> int:
        """Length of the longest end of the text that may be the beginning of a stop string."""
        return self._length[self._state]

    def feed(self, text: str) -> tuple[int, int] | None:
        """Where in `text` the first stop string is complete, and its length; feed no more then.

        Of several that are complete at the same place it is the longest.
        """
        state = self._state
        for n, character in enumerate(text, start=1):
            state = self._after(state, character)
            if self._complete[state]:
                return n, self._complete[state]
        self._state = state
        return None

    def _after(self, state: int, character: str) -> int:
        while state and character not in self._next[state]:
            state = self._shorter[state]
        return self._next[state].get(character, 0)

    def _add(self, stop: str) -> None:
        state = 0
        for length, character in enumerate(stop, start=1):
            following = self._next[state].setdefault(character, len(self._next))
            if following == len(self._next):
                self._next.append({})
                self._length.append(length)
                self._complete.append(0)
            state = following
        self._complete[state] = len(stop)

    def _link(self) -> None:
        """Shorter ones first."""
        for state in sorted(range(len(self._next)), key=self._length.__getitem__):
            for character, following in self._next[state].items():
                if state:
                    self._shorter[following] = self._after(self._shorter[state], character)
                self._complete[following] = (
                    self._complete[following] or self._complete[self._shorter[following]]
                )
