"""How much memory there is for this process, and how much it has."""

from __future__ import annotations

import ctypes
import resource
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_PROC = Path("/proc")


def available_bytes(proc: Path = _PROC, cgroup: Path = _CGROUP) -> int | None:
    """Memory that a process can still have: of the machine, and of the container's limit.

    None where the system does not say.
    """
    lines = _read(proc / "meminfo").splitlines()
    found = [int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:")]
    limit, used = _read(cgroup / "memory.max").strip(), _read(cgroup / "memory.current").strip()
    if limit.isdigit() and used.isdigit():
        found.append(max(0, int(limit) - int(used)))
    return min(found, default=None)


def resident_bytes(proc: Path = _PROC) -> int:
    """Memory of this process; 0 where the system does not say."""
    words = _read(proc / "self" / "statm").split()
    return int(words[1]) * resource.getpagesize() if len(words) > 1 else 0


def return_free_memory() -> None:
    """Give back to the system what this process has freed; glibc keeps most of it otherwise.

    Where there is no glibc, there is nothing to be done.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _read(path: Path) -> str:
    """What the system says; nothing where it does not say it."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
