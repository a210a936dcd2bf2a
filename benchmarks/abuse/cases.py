"""All cases, in the order of the table."""

from __future__ import annotations

from benchmarks.abuse import (
    bodies,
    connections,
    endings,
    heads,
    mix,
    nonsense,
    readers,
    shares,
    turns,
)
from benchmarks.abuse.scene import CASES, Case

_ORDER = (heads, connections, bodies, readers, shares, nonsense, turns, endings, mix)

ALL: tuple[Case, ...] = (
    CASES["nobody"],
    *(
        case
        for module in _ORDER
        for case in CASES.values()
        if case.attack.__module__ == module.__name__ and case.name != "nobody"
    ),
)
