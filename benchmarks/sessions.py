"""What keeping sessions costs: by their number, and by the kind of store.

    python -m benchmarks.sessions [--many 100000] [--rounds 5] [--json FILE]

First a file with 100 sessions of the bundled model's size beside one with many: medians of the
times to create one, to begin and commit a turn, and to list a page of 100; what they take on the
disk and of the process's memory. Then servers with each kind of store, in turn: turns of 64 tokens
of 64 sessions at a time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import resource
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contestants import Server
from benchmarks.machine import describe_machine, headline
from benchmarks.ratios import print_ratios
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
_CLIENTS = 64
_TURN_TOKENS = 64
_TURN_S = 6.0


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
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await full.fill()
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    found: dict[str, list[tuple[float, float]]] = {}
    for _ in range(rounds):
        small, large = await few.measure(), await full.measure()
        for name in small:
            found.setdefault(name, []).append((small[name], large[name]))
    result: dict[str, Any] = {"sessions": many, "memory_mb": round(grown_kb / 1024, 1)}
    for name, pairs in found.items():
        at_few, at_many = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(large / small for small, large in pairs)
        result[name] = {"100": round(at_few, 3), str(many): round(at_many, 3), "ratio": ratio}
        print(f"{name:7} {at_few:.3f} ms at 100, {at_many:.3f} at {many:,}: {ratio:.2f} times")
    await few.store.close()
    await full.store.close()
    num_bytes = full.path.stat().st_size
    result["bytes_each"] = round(num_bytes / many)
    print(
        f"on the disk {num_bytes / many:,.0f} bytes a session, in memory {grown_kb / 1024:.1f} MB"
    )
    return result


async def turns_per_s(port: int, duration_s: float) -> float:
    """Turns of 64 sessions at a time, from a running server.

    By bare sockets: an HTTP library takes longer for a turn than the server.
    """
    num_turns = 0

    async def talk() -> None:
        nonlocal num_turns
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        session = (await _post(reader, writer, "/sessions", {"prompt": "ROMEO:"}))["id"]
        body = {"session": session, "prompt": "\n", "max_tokens": _TURN_TOKENS}
        while time.perf_counter() < end_s:
            await _post(reader, writer, "/generate", body)
            num_turns += 1
        writer.close()

    end_s = time.perf_counter() + duration_s
    await asyncio.gather(*(talk() for _ in range(_CLIENTS)))
    return num_turns / duration_s


async def _post(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, body: dict[str, Any]
) -> Any:
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    writer.write(head.encode() + b"content-length: %d\r\n\r\n" % len(content) + content)
    answer = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", answer)
    if length is None or b" 20" not in answer[:13]:
        raise RuntimeError(answer.decode())
    return json.loads(await reader.readexactly(int(length[1])))


def by_store(folder: Path, rounds: int) -> dict[str, Any]:
    """Turns a second with each kind of store, in turn; ratios to those in memory."""
    urls = {"memory": "memory://", "sqlite": f"sqlite:///{folder}/turns.sqlite3"}
    found: list[dict[str, float]] = []
    with ExitStack() as stack:
        if shutil.which("redis-server"):
            urls["redis"] = stack.enter_context(_redis(folder))
        else:
            print("no redis-server here: Redis is left out")
        servers = {}
        for name, url in urls.items():
            command = ["service.cli", "serve", "--models", "shakespeare", "--session-store", url]
            servers[name] = Server(name, [*command, "--log-level", "warning"])
            stack.enter_context(servers[name].running())
        for n in range(rounds):
            order = list(urls) if n % 2 else list(urls)[::-1]
            speeds = {name: asyncio.run(turns_per_s(servers[name].port, _TURN_S)) for name in order}
            found.append({name: speeds[name] for name in urls})
    print("turns/s, and ratio to memory")
    return print_ratios(found)


@contextmanager
def _redis(folder: Path) -> Iterator[str]:
    """A Redis as docs/sessions.md wants it; its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    command += ["--save", "", "--appendonly", "yes"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()


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
        turns = by_store(Path(folder), options.rounds)
    if options.json:
        report = {"machine": machine, "by_number": numbers, "turns_per_s": turns}
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
