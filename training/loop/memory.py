"""Memory that is given back and asked for again at every step."""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
"""Of malloc.h."""


def keep_freed_memory() -> None:
    """Let glibc keep what large tensors leave, instead of returning it to the system.

    By default each block of some megabytes is mapped anew, and its pages are cleared at the first
    touch: 18,000 page faults a step at 2x512, an eighth of the processor time. Other C libraries
    have no such switch; nothing happens there.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        mallopt(_M_TRIM_THRESHOLD, 1 << 30)
        mallopt(_M_TOP_PAD, 1 << 28)
