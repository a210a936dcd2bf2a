"""How soon does a text begin when clients come as they come, at half of what a server can do?

    python -m benchmarks.arrivals [--streams 64] [--share 0.5] [--rounds 5] [--json FILE]

In each round each server of `benchmarks.peers` is asked twice: by `--streams` clients in a closed
loop, which shows how many texts a second it can write; and then by clients that come by themselves
(a Poisson process) at `--share` of that rate. A first event is timed from the moment at which its
request was due. Each request has a prompt of 32 characters that was never sent before. All servers
are up all the time, one is asked at a time, every second round in the other order: trust the
ratios. To reach: p50 <= 15 ms and p99 <= 40 ms on a quiet machine.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.contestants import Served
from benchmarks.load import measure_arrivals
from benchmarks.machine import describe_machine, headline
from benchmarks.peers import asking, contestants
from service.artifacts.store import ModelStore
from service.load.measurements import Measurements, percentiles_ms
from service.load.recorder import Timing

Round = tuple[Measurements, Measurements]
"""The closed loop, the open one."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print a table."""
    options = _options(arguments)
    store = ModelStore(options.model_store)
    artifact = store.verify(options.model, store.versions(options.model)[-1])
    machine = describe_machine()
    print(f"{artifact.ref}, {options.rounds} rounds\n{headline(machine)}", flush=True)
    found = measure(contestants(artifact, asking(options.max_tokens)), options)
    rows = [_row(name, rounds) for name, rounds in found.items()]
    print(table(rows, options.streams))
    if options.json:
        report = {"model": artifact.ref, "machine": machine, "streams": options.streams}
        report |= {"share": options.share, "num_rounds": options.rounds, "rows": rows}
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def measure(field: list[Served], options: argparse.Namespace) -> dict[str, list[Round]]:
    """All in turn, `options.rounds` times; by name.

    Raises:
        RuntimeError: A server does not start, refuses or breaks a request.
    """
    timing = Timing(options.warmup_s, options.seconds)
    found: dict[str, list[Round]] = {each.name: [] for each in field}
    with contextlib.ExitStack() as stack:
        for server in dict.fromkeys(each.server for each in field):
            stack.enter_context(server.running())
        for n in range(options.rounds):
            for each in field if n % 2 == 0 else field[::-1]:
                closed = each.measure(options.streams, timing)
                rate = max(options.share * closed.requests_per_s, 1 / timing.duration_s)
                opened = measure_arrivals(each.server.port, rate, each.ask, timing)
                found[each.name].append((closed, asyncio.run(opened)))
    return found


def table(rows: list[dict[str, Any]], num_streams: int) -> str:
    """Of all servers, in Markdown."""
    heads = [
        f"texts/s at {num_streams}",
        "asked a second",
        f"first event at {num_streams}, p50 (p99) ms",
        "as they come, p50 (p99) ms",
    ]
    lines = [f"| | {' | '.join(heads)} |", "|---" * 5 + "|"]
    for row in rows:
        crowded, coming = (_times(row[which]) for which in ("closed_ms", "open_ms"))
        lines.append(
            f"| {row['server']} | {row['texts_per_s']:.1f} | {row['asked_per_s']:.1f} "
            f"| {crowded} | {coming} |"
        )
    return "\n".join(lines)


def _row(name: str, rounds: list[Round]) -> dict[str, Any]:
    closed, opened = Measurements(), Measurements()
    for crowd, coming in rounds:
        closed.merge(crowd)
        opened.merge(coming)
    return {
        "server": name,
        "texts_per_s": round(statistics.median(crowd.requests_per_s for crowd, _ in rounds), 2),
        "asked_per_s": round(len(opened.send_delay_s) / opened.duration_s, 2),
        "closed_ms": percentiles_ms(closed.first_event_s),
        "open_ms": percentiles_ms(opened.first_event_s),
        "sent_late_ms": percentiles_ms(opened.send_delay_s),
    }


def _times(times_ms: dict[str, float] | None) -> str:
    return f"{times_ms['p50']:.1f} ({times_ms['p99']:.1f})" if times_ms else "-"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model-store", type=Path, default=Path("model_store"), metavar="DIR")
    parser.add_argument("--model", default="shakespeare", metavar="NAME")
    parser.add_argument("--streams", type=int, default=64, metavar="N", help="default 64")
    parser.add_argument("--share", type=float, default=0.5, metavar="X", help="default 0.5")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="default 5")
    parser.add_argument("--seconds", type=float, default=6.0, metavar="S", help="of one; default 6")
    parser.add_argument("--warmup-s", type=float, default=1.5, metavar="S", help="default 1.5")
    parser.add_argument("--max-tokens", type=int, default=256, metavar="N", help="default 256")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
