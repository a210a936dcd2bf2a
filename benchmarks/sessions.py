"""What keeping sessions costs: by their number, and by the kind of store.

    python -m benchmarks.sessions [--many 100000] [--rounds 5] [--json FILE]

First a file with 100 sessions of the bundled model's size beside one with many: medians of the
times to create one, to begin and commit a turn, and to list a page of 100; what they take on the
disk. Then a server's sessions of 1,000 and of 10,000 characters (`benchmarks.rows`): going on
against sending them again, and what a row makes cheap. Then servers with each kind of store, in
turn: turns of 64 tokens of 64 sessions at a time, and the memory for 10,000 idle sessions more.
At the end all of it is one table, beside what is wanted. Some five minutes on two quiet cores.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import describe_machine, headline
from benchmarks.rows import by_length
from benchmarks.session_stores import by_store
from service.rows.codec import encode_row
from service.rows.row import Row, RowShape
from service.sessions.policy import SessionLimits
from service.sessions.session import KeptRow, Lease, SessionKey, TurnRecord
from service.sessions.sqlite.store import SqliteSessionStore

_SHAPE = RowShape(2048, 66)
_LIMITS = SessionLimits(1e9, 1e9, 10**9, 10**15, 10**9)
_ONE_BY_ONE = 200
_MOST_KEYS = 2000
_RECORD = TurnRecord(
    "g_x", 1, 64, 7, "{}", "length", "{}", "ROMEO:", "what is it that you say? " * 3
)


def _row(seed: int) -> KeptRow:
    rng = np.random.default_rng(seed)
    state_W = rng.standard_normal(_SHAPE.state_width).astype(np.float32)
    logits_V = rng.standard_normal(_SHAPE.vocabulary_size).astype(np.float32)
    present_V = np.ones(_SHAPE.vocabulary_size, np.bool_)
    counts_V = np.full(_SHAPE.vocabulary_size, 9, np.int32)
    row = Row(state_W, logits_V, present_V, counts_V, 500)
    return KeptRow(encode_row(row, bytes(32)), row.num_tokens)


class Kept:
    """A file with so many sessions, a hundred of each owner."""

    def __init__(self, folder: Path, number: int) -> None:
        self.path = folder / f"{number}.sqlite3"
        self.number = number
        self.rows = [_row(seed) for seed in range(8)]
        self.store = SqliteSessionStore(self.path, _LIMITS)
        self.keys: list[SessionKey] = []
        self.num_made = 0

    async def fill(self) -> None:
        """Create them, some hundred at a time."""
        while self.num_made < self.number:
            batch = range(self.num_made, min(self.number, self.num_made + 500))
            made = await asyncio.gather(*(self._create(n) for n in batch))
            # Few of them: what is measured is the memory of the store, not of this list.
            self.keys += made[:: max(1, self.number // _MOST_KEYS)]
            self.num_made += len(made)

    async def _create(self, n: int) -> SessionKey:
        owner = f"owner {n % (self.number // 100)}"  # so that each has a page of them
        row = self.rows[n % len(self.rows)]
        session = await self.store.create(owner=owner, account=owner, model="m@1", row=row, seed=n)
        return SessionKey(owner, session.id)

    async def measure(self) -> dict[str, float]:
        """Medians in milliseconds, one after the other."""
        places = np.random.default_rng(1).integers(0, len(self.keys), _ONE_BY_ONE)
        keys = [self.keys[place] for place in places]

        async def turn(n: int) -> None:
            lease = await self.store.begin(keys[n], lease_s=60)
            assert isinstance(lease, Lease)
            await self.store.commit(lease, self.rows[n % len(self.rows)], _RECORD)

        async def look(n: int) -> None:
            await self.store.page(keys[n].owner, older_than_s=None, limit=100)

        return {
            "create": await _median_ms(self._create),
            "turn": await _median_ms(turn),
            "list": await _median_ms(look),
        }


async def _median_ms(work: Callable[[int], Awaitable[Any]]) -> float:
    times_s = []
    for n in range(_ONE_BY_ONE):
        started_s = time.perf_counter()
        await work(n)
        times_s.append(time.perf_counter() - started_s)
    return statistics.median(times_s) * 1000


async def by_number(folder: Path, many: int, rounds: int) -> dict[str, Any]:
    """Times at 100 and at `many`, in turn; and what the many take."""
    few, full = await asyncio.to_thread(lambda: (Kept(folder, 100), Kept(folder, many)))
    await few.fill()
    await full.fill()
    found: dict[str, list[tuple[float, float]]] = {}
    for _ in range(rounds):
        small, large = await few.measure(), await full.measure()
        for name in small:
            found.setdefault(name, []).append((small[name], large[name]))
    result: dict[str, Any] = {"sessions": many}
    for name, pairs in found.items():
        at_few, at_many = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(large / small for small, large in pairs)
        result[name] = {"100": round(at_few, 3), str(many): round(at_many, 3), "ratio": ratio}
        print(f"{name:7} {at_few:.3f} ms at 100, {at_many:.3f} at {many:,}: {ratio:.2f} times")
    await few.store.close()
    await full.store.close()
    num_bytes = full.path.stat().st_size
    result["bytes_each"] = round(num_bytes / many)
    print(f"on the disk {num_bytes / many:,.0f} bytes a session")
    return result


def table(numbers: dict[str, Any], lengths: dict[str, Any], stores: dict[str, Any]) -> str:
    """All of it in Markdown, each figure beside what is wanted of it."""
    many = f"{numbers['sessions']:,}"
    lines = ["| | measured | wanted |", "|---|---|---|"]
    for length, wanted in ((1_000, 20), (10_000, 200)):
        found = lengths[str(length)]
        lines += [
            (
                f"| the first event after {length:,} characters: sent again; from the session | "
                f"{found['read again']:.1f} ms; {found['go on']:.1f} ms: {found['ratio']:.0f} "
                f"times sooner | {wanted} |"
            ),
            (
                f"| the same session: fork; fork at half; take back 20 characters; read 100 more | "
                f"{found['fork']:.1f}; {found['fork at half']:.1f}; {found['rewind 20']:.1f}; "
                f"{found['append']:.1f} ms | |"
            ),
            (
                f"| the same session: capsule out; in | {found['capsule out']:.1f}; "
                f"{found['capsule in']:.1f} ms | |"
            ),
        ]
    for name, store in stores["turns_per_s"].items():
        wanted_ratio = "" if name == "memory" else "0.8"
        lines.append(
            f"| turns/s, 64 sessions, 64 tokens each: {name}; of those in memory | "
            f"{store['median']:.0f}; {store['ratio']:.2f} | {wanted_ratio} |"
        )
    for name, idle_mb in stores["idle_mb"].items():
        lines.append(f"| memory for 10,000 idle sessions more: {name} | {idle_mb:.1f} MB | 2 MB |")
    for name, what in (("create", "create one"), ("turn", "resume"), ("list", "list 100")):
        at_few, at_many = numbers[name]["100"], numbers[name][str(numbers["sessions"])]
        lines.append(
            f"| {what}, of 100 sessions; of {many} | {at_few:.2f}; {at_many:.2f} ms: "
            f"{numbers[name]['ratio']:.2f} times | 1.5 |"
        )
    lines.append(f"| on the disk, a session | {numbers['bytes_each']:,} bytes | |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--many", type=int, default=100_000, metavar="N", help="default 100000")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="default 5")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    options = parser.parse_args(arguments)
    machine = describe_machine()
    print(headline(machine), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        numbers = asyncio.run(by_number(Path(folder), options.many, options.rounds))
        lengths = by_length(options.rounds)
        stores = by_store(Path(folder), options.rounds)
    report = {"machine": machine, "by_number": numbers, "by_length": lengths, "by_store": stores}
    print("\n" + table(numbers, lengths, stores))
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
