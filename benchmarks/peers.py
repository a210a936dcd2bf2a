"""lstm-serve beside the best server that a good programmer writes in an afternoon.

    python -m benchmarks.peers [--streams 1,4,16,64] [--rounds 5] [--png FILE] [--json FILE]

The peer (`naive_server.py --way async`) serves the same int8 graph with FastAPI, uvicorn, uvloop
and onnxruntime: coroutines, a thread for each core, one run of the graph for each token of a text.
Both servers are up all the time and one is asked at a time; each round asks both, the second one in
the other order, so that a machine whose speed drifts changes both. Trust the ratios.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.contestants import OURS, Served, Server
from benchmarks.load import Ask
from benchmarks.machine import describe_machine, headline
from service.artifacts.store import Artifact, ModelStore
from service.load.measurements import Measurements, percentiles_ms
from service.load.recorder import Timing
from training.pictures import LINE_COLOURS, picture

PEER = "FastAPI + onnxruntime, async"
Rounds = dict[tuple[str, int], list[Measurements]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, write the picture and the JSON."""
    options = _options(arguments)
    store = ModelStore(options.model_store)
    artifact = store.verify(options.model, store.versions(options.model)[-1])
    machine = describe_machine()
    print(f"{artifact.ref}, {options.rounds} rounds\n{headline(machine)}", flush=True)
    timing = Timing(options.warmup_s, options.seconds)
    found = measure(
        contestants(artifact, options.max_tokens), options.streams, timing, options.rounds
    )
    rows = [_row(name, num_streams, rounds) for (name, num_streams), rounds in found.items()]
    ratios = _ratios(found)
    _print(rows, ratios)
    if options.png:
        draw(rows, options.png)
    if options.json:
        report = {"model": artifact.ref, "machine": machine, "num_rounds": options.rounds}
        text = json.dumps({**report, "rows": rows, "ratios": ratios}, indent=2)
        options.json.write_text(text + "\n", encoding="utf-8")


def contestants(artifact: Artifact, max_tokens: int) -> list[Served]:
    """Both, ours first."""
    store = str(artifact.folder.parent.parent)
    ours = ["service.cli", "serve", "--model-store", store, "--models", artifact.ref]
    ours += ["--session-store", "memory://", "--log-level", "warning"]
    peer = ["benchmarks.naive_server", "--way", "async", "--artifact", str(artifact.folder)]
    ask = Ask(max_tokens)
    return [Served(OURS, Server(OURS, ours), ask), Served(PEER, Server(PEER, peer), ask)]


def measure(field: list[Served], streams: Sequence[int], timing: Timing, num_rounds: int) -> Rounds:
    """Measure both at every number of streams, `num_rounds` times in turn."""
    found: Rounds = {}
    with contextlib.ExitStack() as stack:
        for each in field:
            stack.enter_context(each.server.running())
        for n in range(num_rounds):
            for num_streams in streams:
                for each in field if n % 2 == 0 else field[::-1]:
                    one = each.measure(num_streams, timing)
                    found.setdefault((each.name, num_streams), []).append(one)
    return found


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Throughput and first event by the number of streams."""
    with picture(path, size=(10, 4.2), grid=(1, 2)) as plots:
        throughput, first_event = next(plots), next(plots)
        for name, colour in zip((OURS, PEER), LINE_COLOURS, strict=False):
            own = sorted((r for r in rows if r["server"] == name), key=lambda r: r["streams"])
            streams = [row["streams"] for row in own]
            throughput.plot(
                streams, [r["tokens_per_s"] for r in own], "o-", color=colour, label=name
            )
            timed = [row for row in own if row["first_event_ms"]]
            for p, style in (("p50", "o-"), ("p99", "o:")):
                times_ms = [row["first_event_ms"][p] for row in timed]
                numbers = [row["streams"] for row in timed]
                first_event.plot(numbers, times_ms, style, color=colour, label=f"{name}, {p}")
        throughput.set(ylabel="tokens/s, all streams", ylim=(0, None))
        first_event.set(ylabel="first event, ms", yscale="log")
        for axes in (throughput, first_event):
            axes.set(xlabel="streams", xscale="log")
            axes.set_xticks(streams, [str(num) for num in streams])
            axes.minorticks_off()
            axes.legend()


def _row(name: str, num_streams: int, rounds: list[Measurements]) -> dict[str, Any]:
    together = Measurements()
    for each in rounds:
        together.merge(each)
    return {
        "server": name,
        "streams": num_streams,
        "tokens_per_s": round(statistics.median(each.tokens_per_s for each in rounds), 1),
        "first_event_ms": percentiles_ms(together.first_event_s),
        "gap_ms": percentiles_ms(together.gap_s),
    }


def _ratios(found: Rounds) -> dict[str, float]:
    """Tokens/s of ours over the peer's, by number of streams: taken in a round, then the median."""
    return {
        str(num_streams): round(
            statistics.median(
                ours.tokens_per_s / peer.tokens_per_s
                for ours, peer in zip(rounds, found[PEER, num_streams], strict=True)
            ),
            2,
        )
        for (name, num_streams), rounds in found.items()
        if name == OURS
    }


def _print(rows: list[dict[str, Any]], ratios: dict[str, float]) -> None:
    for row in sorted(rows, key=lambda row: row["streams"]):
        first = row["first_event_ms"]
        shown = f"{first['p50']:.1f} / {first['p99']:.1f}" if first else "-"
        print(
            f"{row['streams']:>5} streams  {row['server']:30}{row['tokens_per_s']:>10,.0f} tokens/s"
            f"   first event p50 / p99 ms: {shown}"
        )
    for num_streams, ratio in ratios.items():
        print(f"{OURS} / {PEER} at {num_streams}: {ratio}")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model-store", type=Path, default=Path("model_store"), metavar="DIR")
    parser.add_argument("--model", default="shakespeare", metavar="NAME")
    parser.add_argument(
        "--streams",
        type=lambda text: [int(part) for part in text.split(",")],
        default=[1, 4, 16, 64],
        metavar="N,...",
        help="numbers of concurrent streams (default 1,4,16,64)",
    )
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="default 5")
    parser.add_argument("--seconds", type=float, default=6.0, metavar="S", help="of one; default 6")
    parser.add_argument("--warmup-s", type=float, default=1.5, metavar="S", help="default 1.5")
    parser.add_argument("--max-tokens", type=int, default=64, metavar="N", help="default 64")
    parser.add_argument("--png", type=Path, metavar="FILE", help="draw the picture here")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
