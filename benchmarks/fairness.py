"""What one client's single stream sees of another client's 256: first events and gaps.

    python -m benchmarks.fairness [--crowd 256] [--seconds 8] [--rounds 5] [--json FILE]

A server of its own, two API keys. The reader asks alone, then beside the crowd, in turn; the crowd
is a process of its own. The bundled model, 256 tokens for each text, prompts that were never sent
before. To reach: a first event at most twice, and gaps at most three times those of the reader
alone (p50, the median of the rounds' ratios).
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import multiprocessing
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.contestants import Server
from benchmarks.machine import describe_machine, headline
from service.access.keys import entry_of, new_key
from service.load.closed import closed_loop
from service.load.measurements import Measurements, percentiles_ms
from service.load.recorder import Recorder, Timing
from service.load.target import Target
from service.load.workload import Workload, fresh_prompts

MOST_FIRST_EVENT, MOST_GAP = 2.0, 3.0
"""Times what the reader sees alone."""

ALONE, BESIDE = "alone", "beside the crowd"
_ALPHABET = "abcdefghijklmnopqrstuvwxyz \n"
_PROMPT_SIZE = 32
_WARMUP_S = 2.0
_MAX_TOKENS = 256


def _requests(target: Target, seed: int) -> Iterator[bytes]:
    """Whole requests without end, each with a prompt that nobody sent before."""
    draw = random.Random(seed)
    workload = Workload(_MAX_TOKENS, temperature=0.8)
    prompts = fresh_prompts(_ALPHABET, _PROMPT_SIZE, draw)
    return (target.request(body) for body in workload.bodies(prompts, draw))


async def _asked(target: Target, num_streams: int, timing: Timing) -> Measurements:
    """What so many streams of one client see."""
    recorder, seeds = Recorder(timing), itertools.count(time.time_ns())
    await closed_loop(target, lambda _: _requests(target, next(seeds)), num_streams, recorder)
    if recorder.found.errors:
        raise RuntimeError(f"requests failed: {dict(recorder.found.errors)}")
    return recorder.found


def _crowd(port: int, key: str, num_streams: int, duration_s: float) -> None:
    """A process's work: so many streams for as long as the reader is there."""
    target = Target("127.0.0.1", port, api_key=key)
    asyncio.run(_asked(target, num_streams, Timing(_WARMUP_S, duration_s)))


def measured(
    port: int, keys: Sequence[str], crowd: int, seconds: float, num_rounds: int
) -> dict[str, list[Measurements]]:
    """What the reader sees alone and beside a crowd, once in each round.

    Args:
        port: The server's.
        keys: Of the reader and of the crowd.
        crowd: Streams of the other client.
        seconds: Of one measurement.
        num_rounds: How often.

    Raises:
        RuntimeError: A request failed.
    """
    reader = Target("127.0.0.1", port, api_key=keys[0])
    found: dict[str, list[Measurements]] = {ALONE: [], BESIDE: []}
    for _ in range(num_rounds):
        found[ALONE].append(asyncio.run(_asked(reader, 1, Timing(_WARMUP_S, seconds))))
        # The crowd is there before the reader is measured, and after it.
        process = multiprocessing.get_context("spawn").Process(
            target=_crowd, args=(port, keys[1], crowd, seconds + 2 * _WARMUP_S)
        )
        process.start()
        try:
            found[BESIDE].append(asyncio.run(_asked(reader, 1, Timing(2 * _WARMUP_S, seconds))))
        finally:
            process.join()
        if process.exitcode:
            raise RuntimeError(f"the crowd's process ended with exit code {process.exitcode}")
    return found


def figures(found: dict[str, list[Measurements]]) -> dict[str, Any]:
    """Of each situation p50 and p99 of all rounds; ratios of the rounds' p50, their median."""
    report: dict[str, Any] = {}
    for name, rounds in found.items():
        together = Measurements()
        for each in rounds:
            together.merge(each)
        report[name] = {
            "tokens_per_s": round(together.tokens_per_s, 1),
            "first_event_ms": percentiles_ms(together.first_event_s),
            "gap_ms": percentiles_ms(together.gap_s),
        }
    report["ratios"] = {
        "first_event": _ratio(
            [each.first_event_s for each in found[BESIDE]],
            [each.first_event_s for each in found[ALONE]],
        ),
        "gap": _ratio(
            [each.gap_s for each in found[BESIDE]], [each.gap_s for each in found[ALONE]]
        ),
    }
    return report


def _ratio(beside: list[list[float]], alone: list[list[float]]) -> float | None:
    """The median of the rounds' ratios; None if there is no round in which both have a figure."""
    pairs = [(b, a) for b, a in zip(beside, alone, strict=True) if a and b]
    if not pairs:
        return None
    return round(
        statistics.median(statistics.median(b) / statistics.median(a) for b, a in pairs), 2
    )


def table(report: dict[str, Any]) -> str:
    """As a table in Markdown, and whether both bounds hold."""
    lines = ["| the reader | tokens/s | first event, p50 / p99 ms | gaps, p50 / p99 ms |"]
    lines.append("|---|---|---|---|")
    for name in (ALONE, BESIDE):
        row = report[name]
        first, gap = (_shown(row[key]) for key in ("first_event_ms", "gap_ms"))
        lines.append(f"| {name} | {row['tokens_per_s']:,.0f} | {first} | {gap} |")
    first, gap = report["ratios"]["first_event"], report["ratios"]["gap"]
    lines.append(
        f"| times as long | | {first} (at most {MOST_FIRST_EVENT}) | {gap} (at most {MOST_GAP}) |"
    )
    return "\n".join(lines)


def _shown(times_ms: dict[str, float] | None) -> str:
    return f"{times_ms['p50']:.1f} / {times_ms['p99']:.1f}" if times_ms else "-"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, write the JSON."""
    options = _options(arguments)
    machine = describe_machine()
    print(headline(machine), flush=True)
    keys = {"reader": new_key(), "crowd": new_key()}
    command = ["service.cli", "serve", "--model-store", str(options.model_store)]
    command += ["--models", options.model, "--session-store", "memory://"]
    command += ["--log-level", "warning", "--api-keys-file"]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "keys"
        entries = [entry_of(name, key, ["text"]) for name, key in keys.items()]
        file.write_text("\n".join(entries) + "\n", encoding="utf-8")
        server = Server("fairness", [*command, str(file)])
        with server.running():
            found = measured(
                server.port, list(keys.values()), options.crowd, options.seconds, options.rounds
            )
    report = {"machine": machine, "crowd": options.crowd, **figures(found)}
    print(table(report))
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model-store", type=Path, default=Path("model_store"), metavar="DIR")
    parser.add_argument("--model", default="shakespeare", metavar="NAME")
    parser.add_argument("--crowd", type=int, default=256, metavar="N", help="default 256")
    parser.add_argument("--seconds", type=float, default=8, metavar="S", help="default 8")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="default 5")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
