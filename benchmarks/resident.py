"""How much memory a server takes."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

_PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)


def resident_mb(pid: int) -> float:
    """Megabytes of a process and all that it has started; what they share counts once.

    Source: Pss of /proc/PID/smaps_rollup, proc(5). A process that ends meanwhile counts as none.
    """
    total_kb = 0
    for each in [pid, *_descendants(pid)]:
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{each}/smaps_rollup").read_text(encoding="ascii")
            found = _PSS.search(text)
            total_kb += int(found[1]) if found else 0
    return total_kb / 1000


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                found += [int(child), *_descendants(int(child))]
    return found
