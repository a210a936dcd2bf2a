"""Ctrl-C, SIGTERM and a closed terminal (SIGHUP) as a wish that the loop reads between steps."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """While entered, the first signal only sets `requested`; a second one ends at once."""

    def __init__(self) -> None:
        """Not requested yet."""
        self.requested = False
        self._previous: dict[signal.Signals, signal._HANDLER] = {}

    def request(self) -> None:
        """Ask the run to save and stop after the current step."""
        self.requested = True

    def __enter__(self) -> Self:
        """Take over the signals; works only in the main thread."""
        for number in _SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:  # as nohup wants it
                self._previous[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the signals back."""
        self._give_back()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.requested = True
        # The next Ctrl-C is for somebody who cannot wait: Python's own KeyboardInterrupt.
        self._give_back()

    def _give_back(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()
