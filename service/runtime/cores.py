"""How much of the machine this process may use."""

from __future__ import annotations

import os
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def usable_cores(quota: Path = _QUOTA) -> int:
    """Cores that the process may run on; in a container no more than its CPU limit, rounded down.

    A thread too many is worse than one too few: a container that has used up its limit stands still
    until the next period, streams and probes too.

    Args:
        quota: The limit as cgroup v2 states it: "MICROSECONDS PERIOD", or "max PERIOD".
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        time_us, period_us = quota.read_text(encoding="ascii").split()
        limit = int(time_us) // int(period_us)
    except (OSError, ValueError):  # not Linux, not cgroup v2, or "max"
        return cores or 1
    return max(1, min(cores or 1, limit))
