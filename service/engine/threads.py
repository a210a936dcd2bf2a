"""Threads of an engine, at their end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

_log = logging.getLogger(__name__)
_PATIENCE_S = 5.0


def join_all(threads: Sequence[threading.Thread]) -> bool:
    """Wait for threads, together; one that hangs is named in the log and left behind.

    Returns:
        Whether all have ended.
    """
    end_s = time.monotonic() + _PATIENCE_S
    for thread in threads:
        thread.join(max(0.0, end_s - time.monotonic()))
        if thread.is_alive():
            _log.error("%s hangs; it ends with the process", thread.name)
    return not any(thread.is_alive() for thread in threads)
