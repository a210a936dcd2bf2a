"""Log lines written by a thread of their own: a log that nobody reads holds up nobody."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from typing import TextIO

_FLUSH_S = 1.0
_COLLECT_S = 0.005
_MOST_AT_ONCE = 100


class BackgroundHandler(logging.Handler):
    """Writes lines to a stream, some time later; drops and counts those for which there is no room.

    Args:
        stream: Where to. It may block for as long as it likes: a full pipe, say.
        max_lines: That may wait for it.
    """

    def __init__(self, stream: TextIO, max_lines: int = 10_000) -> None:
        super().__init__()
        self._stream = stream
        self._lines: queue.Queue[str] = queue.Queue(max_lines)
        self._num_dropped = 0
        threading.Thread(target=self._write, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a line to the thread."""
        try:
            self._lines.put_nowait(self.format(record))
        except queue.Full:
            self._num_dropped += 1
        except Exception:  # noqa: BLE001 - as logging's own handlers do
            self.handleError(record)

    def flush(self) -> None:
        """Wait until all is written, but not long: at the end of the process, say."""
        deadline_s = time.monotonic() + _FLUSH_S
        while self._lines.unfinished_tasks and time.monotonic() < deadline_s:
            time.sleep(0.005)

    def _write(self) -> None:
        while True:
            lines = [self._lines.get()]
            # Others come in the meantime: to wake a thread for each of them costs the server more
            # than the lines do.
            time.sleep(_COLLECT_S)
            while len(lines) < _MOST_AT_ONCE and not self._lines.empty():
                lines.append(self._lines.get())
            # What cannot be said is no reason to fail: a closed or full log is nobody's.
            with contextlib.suppress(OSError, ValueError):
                self._stream.write("\n".join([*lines, ""]))
                self._stream.flush()
            for _ in lines:
                self._lines.task_done()
            if self._num_dropped and self._lines.empty():
                number, self._num_dropped = self._num_dropped, 0
                self._lines.put(self.format(_dropped(number)))


def _dropped(number: int) -> logging.LogRecord:
    message = f"{number} lines of the log were dropped: nobody has read them"
    return logging.LogRecord(__name__, logging.WARNING, __file__, 0, message, None, None)
