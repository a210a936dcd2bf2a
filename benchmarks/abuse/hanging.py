"""The server, but SIGUSR1 lets all its engines hang for ever: each run of a graph waits.

Only the bench starts it; nothing of `service` knows of it.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from types import FrameType
from typing import Any

from service.runtime import onnx_session

_hung = threading.Event()
# By way of that module: before it, onnxruntime would report to others.
_Session: Any = vars(onnx_session)["onnxruntime"].InferenceSession
_run = _Session.run


def _hanging_run(self: Any, *arguments: Any, **options: Any) -> Any:
    while _hung.is_set():
        time.sleep(0.05)
    return _run(self, *arguments, **options)


def _hang(_signal: int, _frame: FrameType | None) -> None:
    _hung.set()


def main() -> int:
    """Serve, as `service.cli` does."""
    from service.cli import main as serve

    _Session.run = _hanging_run
    signal.signal(signal.SIGUSR1, _hang)
    return serve()


if __name__ == "__main__":
    sys.exit(main())
