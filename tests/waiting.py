"""Waiting for another thread or process, with an end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(look: Callable[[], T], what: str, timeout_s: float = 30.0) -> T:
    """Look again and again until it is true of something; returns that.

    Raises:
        TimeoutError: it was not in that time; the message has the last look.
    """
    deadline_s = time.monotonic() + timeout_s
    while not (seen := look()):
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"waited {timeout_s:g} s for {what}; the last look: {seen!r}")
        time.sleep(0.01)
    return seen
