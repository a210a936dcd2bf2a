"""Does the server stay what it is, with all kinds of clients, for as long as you like?

    python -m benchmarks.soak [--model NAME] [--minutes 10] [--arrivals-per-s 12] [--json FILE]

Clients of many kinds arrive at random: some read a stream, some want an answer at once, some leave
in the middle, some stop reading for a while, some have a conversation, some send nonsense, with
sampling options of all kinds. Now and then the same request is sent again, which must give the same
text. In the end nothing may be left of any of them. Exit code 1 if anything was not as it should
be: an unexpected answer, another text, a row that is still in use, or memory that has grown by more
than 5 % from the second minute to the last.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from benchmarks.contestants import Server
from benchmarks.machine import describe_machine, headline
from benchmarks.visitors import Found, Visitors
from service.artifacts.reference import Reference
from service.artifacts.store import ModelStore

_MOST_GROWTH = 1.05


async def soak(server: Server, pid: int, options: argparse.Namespace) -> tuple[Found, Any]:
    """Let visitors arrive for the time that is set; returns what they found and what is left."""
    found = Found()
    arrivals = random.Random(options.seed)
    end_s = time.monotonic() + options.minutes * 60
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=50)
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{server.port}", timeout=60, limits=limits
    ) as client:
        visitors = Visitors(client, found, options.seed)
        watching = asyncio.create_task(_watch(pid, found))
        async with asyncio.TaskGroup() as tasks:
            while time.monotonic() < end_s:
                tasks.create_task(visitors.arrive())
                await asyncio.sleep(arrivals.expovariate(options.arrivals_per_s))
        watching.cancel()
        report = None
        for _ in range(100):
            report = (await client.get("/health/ready")).json()
            if not any(_left(engine) for engine in report["models"].values()):
                break
            await asyncio.sleep(0.1)
    return found, report


def _left(engine: dict[str, Any]) -> int:
    return int(engine["running"] + engine["waiting"] + engine["parked"])


async def _watch(pid: int, found: Found) -> None:
    started_s = time.monotonic()
    while True:
        resident = _resident_bytes(pid)
        found.resident.append((time.monotonic() - started_s, resident))
        await asyncio.sleep(1)
        if len(found.resident) % 30 == 0:
            num_ended = sum(found.ended.values())
            print(
                f"{found.resident[-1][0]:5.0f} s {resident / 2**20:7.1f} MiB, {num_ended} clients, "
                f"{found.num_tokens} tokens, {len(found.wrong)} errors",
                flush=True,
            )


def _resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _mean_mib(found: Found, first_s: float, last_s: float) -> float:
    sizes = [size for at_s, size in found.resident if first_s <= at_s < last_s]
    return statistics.mean(sizes) / 2**20


def main(arguments: Sequence[str] | None = None) -> None:
    """Soak, print what was found; exit with 1 if something was wrong."""
    options = _options(arguments)
    store = ModelStore(options.model_store)
    ref = str(Reference(options.model, store.versions(options.model)[-1]))
    command = ["service.cli", "serve", "--model-store", str(options.model_store), "--models", ref]
    command += ["--session-store", "memory://"]
    command += ["--log-level", "warning", "--max-rows", "64"]
    # Its cache is full soon, so that it is not what grows.
    server = Server(ref, [*command, "--prefix-cache-bytes", str(2**22)])
    machine = describe_machine()
    print(f"{ref}\n{headline(machine)}", flush=True)
    with server.running() as process:
        found, left = asyncio.run(soak(server, process.pid, options))
    last_s = found.resident[-1][0]
    # A short trial has no second minute: then its second tenth stands for it.
    minute_s = min(60.0, last_s / 10)
    second, last = (
        _mean_mib(found, start_s, start_s + minute_s) for start_s in (minute_s, last_s - minute_s)
    )
    wrong = list(found.wrong)
    wrong += [f"{name}: {_left(e)} rows left" for name, e in left["models"].items() if _left(e)]
    if last > second * _MOST_GROWTH:
        wrong.append(f"memory grew from {second:.1f} to {last:.1f} MiB")
    print(f"clients: {dict(found.ended)}, {found.num_tokens} tokens")
    print(f"resident: {second:.1f} MiB in the second minute, {last:.1f} MiB in the last")
    print(f"left: {left['models']}")
    for line in wrong[:20]:
        print(f"wrong: {line}")
    if options.json:
        report = {
            "machine": machine,
            "minutes": options.minutes,
            "clients": found.ended,
            "num_tokens": found.num_tokens,
            "resident_mib": {"second_minute": second, "last_minute": last},
            "wrong": wrong,
        }
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    sys.exit(1 if wrong else 0)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model-store", type=Path, default=Path("model_store"), metavar="DIR")
    parser.add_argument("--model", default="shakespeare", metavar="NAME")
    parser.add_argument("--minutes", type=float, default=10.0, metavar="M", help="default 10")
    parser.add_argument(
        "--arrivals-per-s", type=float, default=12.0, metavar="R", help="default 12"
    )
    parser.add_argument("--seed", type=int, default=0, help="of arrivals and choices (default 0)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found here")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
