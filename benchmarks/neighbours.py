"""Several models on one machine: what one sees of the other's crowd, and of a version that comes.

    python -m benchmarks.neighbours [--crowd 256] [--seconds 8] [--rounds 2]

A server of its own with two models of one size: the bundled one, and a copy of it under another
name. One reader asks alone; then beside a crowd on the other model; then beside the same crowd on
its own model, where it has one share of many. If models starved each other, the second would be
like the third. Then 64 texts run while a version is copied into the
store: how long until it is served, and what their readers see of it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from benchmarks.contestants import Server
from benchmarks.load import Ask, measure
from benchmarks.machine import describe_machine, headline
from service.load.measurements import Measurements
from service.load.recorder import Timing

_MODEL, _TWIN = "shakespeare", "twin"
_WARMUP_S = 2.0


async def _reader(port: int, seconds: float, crowd: int, crowded: str) -> Measurements:
    """What one reader sees beside a crowd on a model."""
    ask = Ask(max_tokens=1024, model=_MODEL)
    work = [measure(port, 1, ask, Timing(_WARMUP_S, seconds))]
    if crowd:
        others = replace(ask, model=crowded)
        # The crowd is there before the reader is measured, and after it.
        work.append(measure(port, crowd, others, Timing(_WARMUP_S / 2, seconds + 2)))
    reader, *_ = await asyncio.gather(*work)
    return reader


def _copy(source: Path, to: Path, **changes: object) -> None:
    """A version once more, with another name or number."""
    shutil.copytree(source, to)
    manifest = json.loads((to / "manifest.json").read_text("utf-8"))
    (to / "manifest.json").write_text(json.dumps(manifest | changes), "utf-8")


def _ms(times_s: list[float], share: float) -> float | None:
    ordered = sorted(times_s)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000 if ordered else None


def _figures(found: Measurements) -> dict[str, float | None]:
    """Times are None where there was nothing to be timed."""
    return {
        "tokens_per_s": found.tokens_per_s,
        "first_event_p50_ms": _ms(found.first_event_s, 0.5),
        "gap_p50_ms": _ms(found.gap_s, 0.5),
        "gap_p99_ms": _ms(found.gap_s, 0.99),
    }


def _shown(name: str, figures: dict[str, float | None]) -> str:
    first, gap, longest = (
        "none seen" if figures[which] is None else f"{figures[which]:.0f} ms"
        for which in ("first_event_p50_ms", "gap_p50_ms", "gap_p99_ms")
    )
    return (
        f"{name:42} {figures['tokens_per_s']:8,.0f} tokens/s, first event {first:>9}, "
        f"gaps {gap:>9} (p50) {longest:>9} (p99)"
    )


def neighbours(server: Server, options: argparse.Namespace) -> dict[str, Any]:
    """A reader alone and beside crowds; all take turns, and each figure is of all rounds."""
    situations = {
        "one reader alone": (0, ""),
        f"beside {options.crowd} on the other model": (options.crowd, _TWIN),
        f"beside {options.crowd} on its own model": (options.crowd, _MODEL),
    }
    found = {name: Measurements(1) for name in situations}
    for _ in range(options.rounds):
        for name, situation in situations.items():
            found[name].merge(asyncio.run(_reader(server.port, options.seconds, *situation)))
    report = {name: _figures(each) for name, each in found.items()}
    for name, figures in report.items():
        print(_shown(name, figures), flush=True)
    return report


async def _newcomer(server: Server, store: Path, seconds: float) -> tuple[float, Measurements]:
    """Seconds until a version that is copied is served, and what 64 readers saw meanwhile."""
    ask = Ask(max_tokens=1024, model=_MODEL)
    reading = asyncio.ensure_future(measure(server.port, 64, ask, Timing(_WARMUP_S, seconds)))
    await asyncio.sleep(_WARMUP_S + 1)
    newest = max(int(folder.name) for folder in (store / _MODEL).iterdir())
    _copy(store / _MODEL / str(newest), store / _MODEL / str(newest + 1), version=newest + 1)
    copied_s = time.perf_counter()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as client:
        ref = f"{_MODEL}@{newest + 1}"
        while ref not in (await client.get("/models")).text:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.02)
    return time.perf_counter() - copied_s, await reading


def newcomers(server: Server, store: Path, options: argparse.Namespace) -> dict[str, Any]:
    """The same in several rounds."""
    times, seen = [], Measurements(64)
    for _ in range(options.rounds):
        served_s, found = asyncio.run(_newcomer(server, store, options.seconds))
        times.append(served_s)
        seen.merge(found)
    print(f"a copied version is served after {', '.join(f'{each:.1f} s' for each in times)}")
    print(_shown("64 readers meanwhile", _figures(seen)), flush=True)
    return {"served_s": times, "median_s": statistics.median(times), "readers": _figures(seen)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--crowd", type=int, default=256, metavar="N", help="default 256")
    parser.add_argument("--seconds", type=float, default=8, metavar="S", help="default 8")
    parser.add_argument("--rounds", type=int, default=2, metavar="N", help="default 2")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    options = parser.parse_args(arguments)
    machine = describe_machine()
    print(headline(machine), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder)
        [newest] = (Path("model_store") / _MODEL).iterdir()
        _copy(newest, store / _MODEL / newest.name)
        _copy(newest, store / _TWIN / newest.name, name=_TWIN)
        command = ["service.cli", "serve", "--model-store", folder, "--log-level", "warning"]
        server = Server("neighbours", [*command, "--session-store", "memory://"])
        with server.running():
            report = {"machine": machine, "neighbours": neighbours(server, options)}
            report["newcomers"] = newcomers(server, store, options)
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
