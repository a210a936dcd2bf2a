"""lstm-serve beside the best server that a good programmer writes in an afternoon, and Triton.

    python -m benchmarks.peers [--streams 1,4,16,64,256] [--rounds 5] [--triton [FOLDER]]
                               [--triton-python PYTHON] [--markdown FILE] [--png FILE] [--json FILE]

The peer (`naive_server.py --way async`) serves the same int8 graph with FastAPI, uvicorn, uvloop
and onnxruntime: coroutines, a thread for each core, one run of the graph for each token of a text.
`--triton` makes an environment of its own with `nvidia-pytriton`, where the same graph runs in a
decoupled model (`triton_server.py`). Each request has a prompt of 32 characters that was never sent
before, and asks for 256. lstm-serve is asked for an event a burst, as it serves by default, and for
one a token, as the others send. All servers are up all the time and one is asked
at a time; each round asks all of them, every second one in the other order, so that a machine whose
speed drifts changes all. Trust the ratios. Memory is what a server takes after the last round.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.contestants import OURS, Served, Server
from benchmarks.load import Ask
from benchmarks.machine import describe_machine, headline
from benchmarks.resident import resident_mb
from benchmarks.triton import triton
from service.artifacts.store import Artifact, ModelStore
from service.load.measurements import Measurements, percentiles_ms
from service.load.recorder import Timing
from training.pictures import LINE_COLOURS, picture

PEER = "FastAPI + onnxruntime, async"
OURS_EVERY = "lstm-serve, stream_every: 1"
_PROMPT_CHARACTERS = 32
Rounds = dict[tuple[str, int], list[Measurements]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, write the picture and the JSON."""
    options = _options(arguments)
    store = ModelStore(options.model_store)
    artifact = store.verify(options.model, store.versions(options.model)[-1])
    machine = describe_machine()
    print(f"{artifact.ref}, {options.rounds} rounds\n{headline(machine)}", flush=True)
    timing = Timing(options.warmup_s, options.seconds)
    ask = asking(options.max_tokens)
    field = contestants(artifact, ask)
    if options.triton:
        field.append(triton(artifact, ask, options.triton, options.triton_python))
    found, resident = measure(field, options.streams, timing, options.rounds)
    rows = [_row(name, num_streams, rounds) for (name, num_streams), rounds in found.items()]
    ratios = _ratios(found)
    _print(rows, ratios, resident)
    if options.markdown:
        options.markdown.write_text(markdown(rows, resident), encoding="utf-8")
    if options.png:
        draw(rows, options.png)
    if options.json:
        report = {"model": artifact.ref, "machine": machine, "num_rounds": options.rounds}
        report |= {"rows": rows, "ratios": ratios, "resident_mb": resident}
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def asking(max_tokens: int) -> Ask:
    """What each request asks for: so much text after a prompt that nobody has sent before."""
    return Ask(max_tokens, prompt_size=_PROMPT_CHARACTERS, fresh=True)


def contestants(artifact: Artifact, ask: Ask) -> list[Served]:
    """All but Triton, ours first."""
    store = str(artifact.folder.parent.parent)
    ours = ["service.cli", "serve", "--model-store", store, "--models", artifact.ref]
    ours += ["--session-store", "memory://", "--log-level", "warning"]
    peer = ["benchmarks.naive_server", "--way", "async", "--artifact", str(artifact.folder)]
    ours += ["--max-rows", "512"]
    server = Server(OURS, ours)
    return [
        Served(OURS, server, ask),
        Served(OURS_EVERY, server, replace(ask, stream_every=1)),
        Served(PEER, Server(PEER, peer), ask),
    ]


def measure(
    field: list[Served], streams: Sequence[int], timing: Timing, num_rounds: int
) -> tuple[Rounds, dict[str, float]]:
    """Measure all at every number of streams, `num_rounds` times in turn.

    Returns:
        What was measured, by name and number of streams; and the megabytes that each takes after
        that, by name.

    Raises:
        RuntimeError: A server does not start, refuses or breaks a request.
    """
    found: Rounds = {}
    with contextlib.ExitStack() as stack:
        processes = {
            server: stack.enter_context(server.running())
            for server in dict.fromkeys(each.server for each in field)
        }
        for n in range(num_rounds):
            for num_streams in streams:
                for each in field if n % 2 == 0 else field[::-1]:
                    one = each.measure(num_streams, timing)
                    found.setdefault((each.name, num_streams), []).append(one)
        resident = {each.name: resident_mb(processes[each.server].pid) for each in field}
    return found, resident


def markdown(rows: list[dict[str, Any]], resident: Mapping[str, float]) -> str:
    """The figures as a table in Markdown, with a line for each server."""
    streams = sorted({row["streams"] for row in rows})
    cells = {(row["server"], row["streams"]): row for row in rows}
    heads = [f"tokens/s at {num}" for num in streams]
    heads += [f"first event at {num}, p50 (p99) ms" for num in streams]
    lines = [f"| | {' | '.join(heads)} | resident |", "|---" * (len(heads) + 2) + "|"]
    for name, megabytes in resident.items():
        own = [cells[name, num] for num in streams]
        shown = [f"{row['tokens_per_s'] / 1000:.1f} k" for row in own]
        shown += [_first_event(row) for row in own]
        lines.append(f"| {name} | {' | '.join(shown)} | {megabytes:.0f} MB |")
    return "\n".join(lines) + "\n"


def _first_event(row: Mapping[str, Any]) -> str:
    first = row["first_event_ms"]
    return f"{first['p50']:.1f} ({first['p99']:.1f})" if first else "-"


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Throughput and first event by the number of streams."""
    with picture(path, size=(10, 4.2), grid=(1, 2)) as plots:
        throughput, first_event = next(plots), next(plots)
        names = dict.fromkeys(row["server"] for row in rows)
        for name, colour in zip(names, LINE_COLOURS, strict=False):
            own = sorted((r for r in rows if r["server"] == name), key=lambda r: r["streams"])
            streams = [row["streams"] for row in own]
            throughput.plot(
                streams, [r["tokens_per_s"] for r in own], "o-", color=colour, label=name
            )
            timed = [row for row in own if row["first_event_ms"]]
            for p, style in (("p50", "o-"), ("p99", "o:")):
                times_ms = [row["first_event_ms"][p] for row in timed]
                numbers = [row["streams"] for row in timed]
                first_event.plot(numbers, times_ms, style, color=colour)
        throughput.set(ylabel="tokens/s, all streams", ylim=(0, None))
        first_event.set(ylabel="first event, ms: p50, dotted p99", yscale="log")
        for axes in (throughput, first_event):
            axes.set(xlabel="streams", xscale="log")
            axes.set_xticks(streams, [str(num) for num in streams])
            axes.minorticks_off()
        throughput.legend()


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


def _ratios(found: Rounds) -> dict[str, dict[str, float]]:
    """Tokens/s of ours over each other's, by number of streams: in a round, then the median."""
    ratios: dict[str, dict[str, float]] = {}
    for (name, num_streams), rounds in found.items():
        if name != OURS:
            pairs = zip(found[OURS, num_streams], rounds, strict=True)
            of_rounds = [a.tokens_per_s / b.tokens_per_s for a, b in pairs if b.num_tokens]
            if of_rounds:
                ratio = round(statistics.median(of_rounds), 2)
                ratios.setdefault(name, {})[str(num_streams)] = ratio
    return ratios


def _print(
    rows: list[dict[str, Any]],
    ratios: Mapping[str, Mapping[str, float]],
    resident: Mapping[str, float],
) -> None:
    for row in sorted(rows, key=lambda row: row["streams"]):
        print(
            f"{row['streams']:>5} streams  {row['server']:36}{row['tokens_per_s']:>10,.0f} tokens/s"
            f"   first event p50 (p99) ms: {_first_event(row)}"
        )
    for name, of_streams in ratios.items():
        for num_streams, ratio in of_streams.items():
            print(f"{OURS} / {name} at {num_streams}: {ratio}")
    for name, megabytes in resident.items():
        print(f"{name}: {megabytes:.0f} MB")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model-store", type=Path, default=Path("model_store"), metavar="DIR")
    parser.add_argument("--model", default="shakespeare", metavar="NAME")
    parser.add_argument(
        "--streams",
        type=lambda text: [int(part) for part in text.split(",")],
        default=[1, 4, 16, 64, 256],
        metavar="N,...",
        help="numbers of concurrent streams (default 1,4,16,64,256)",
    )
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="default 5")
    parser.add_argument("--seconds", type=float, default=6.0, metavar="S", help="of one; default 6")
    parser.add_argument("--warmup-s", type=float, default=1.5, metavar="S", help="default 1.5")
    parser.add_argument("--max-tokens", type=int, default=256, metavar="N", help="default 256")
    parser.add_argument(
        "--triton",
        type=Path,
        nargs="?",
        const=Path("runs/triton-environment"),
        metavar="FOLDER",
        help="Triton too, installed into FOLDER (default runs/triton-environment) unless it is",
    )
    parser.add_argument(
        "--triton-python",
        default=sys.executable,
        metavar="PYTHON",
        help="makes that environment (default: this one); Triton starts with 3.11.2 and not with "
        "3.11.7",
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write a table here")
    parser.add_argument("--png", type=Path, metavar="FILE", help="draw the picture here")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
