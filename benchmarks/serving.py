"""How fast is the server, beside the bare model and beside the way that tutorials show?

    python -m benchmarks.serving [--model NAME] [--streams 1,16,64,256] [--json FILE]

Every contestant is measured in every round, one after the other, so that a machine whose speed
drifts changes all of them: compare ratios, not the figures of two runs. Servers are child
processes, read over real sockets by a load generator on the same cores; what the generator takes
is reported.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.contestants import (
    NEW_PROMPT,
    OURS,
    OURS_AT_ONCE,
    SAME_PROMPT,
    Contestant,
    Served,
    contestants,
)
from benchmarks.machine import describe_machine, headline
from service.artifacts.store import Artifact, ModelStore
from service.load.measurements import Measurements, percentiles_ms
from service.load.recorder import Timing

Results = dict[tuple[str, int], Measurements]
_TIMES_ONLY = (NEW_PROMPT, SAME_PROMPT)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, write the JSON."""
    options = _options(arguments)
    store = ModelStore(options.model_store)
    artifact = store.verify(options.model, store.versions(options.model)[-1])
    has_torch = importlib.util.find_spec("torch") is not None
    with_torch = has_torch and not options.without_torch
    field = contestants(artifact, options.max_tokens, with_torch=with_torch)
    timing = Timing(options.warmup_s, options.seconds)
    results = run(field, options.streams, timing, options.rounds)
    report = _report(artifact, results, options.rounds)
    print(_table(report))
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def run(
    field: list[Contestant], streams: Sequence[int], timing: Timing, num_rounds: int
) -> Results:
    """Measure every contestant at every number of streams, `num_rounds` times in turn."""
    results: Results = {}
    with contextlib.ExitStack() as stack:
        for server in {c.server for c in field if isinstance(c, Served)}:
            stack.enter_context(server.running())
        for _ in range(num_rounds):
            for num_streams in streams:
                for contestant in field:
                    limit = contestant.streams_limit
                    if limit is None or num_streams <= limit:
                        found = contestant.measure(num_streams, timing)
                        key = (contestant.name, num_streams)
                        results.setdefault(key, Measurements()).merge(found)
    return results


def _report(artifact: Artifact, results: Results, num_rounds: int) -> dict[str, Any]:
    rows = []
    for (name, num_streams), found in results.items():
        rows.append(
            {
                "contestant": name,
                "streams": num_streams,
                "tokens_per_s": round(found.tokens_per_s, 1),
                "first_event_ms": percentiles_ms(found.first_event_s),
                "gap_ms": percentiles_ms(found.gap_s),
                "completed": found.num_completed,
                "client_cores": round(found.client_cpu_s / found.duration_s, 3),
            }
        )
    return {
        "model": artifact.ref,
        "precision": artifact.manifest.precision,
        "machine": describe_machine(),
        "num_rounds": num_rounds,
        "rows": rows,
        "ratios": _ratios(results),
    }


def _ratios(results: Results) -> dict[str, dict[str, float]]:
    """Tokens/s of lstm-serve over everybody else's, by number of streams; and of times."""
    ratios: dict[str, dict[str, float]] = {}
    for (name, num_streams), found in results.items():
        for ours in (OURS, OURS_AT_ONCE):
            served = results.get((ours, num_streams))
            if name not in {OURS, *_TIMES_ONLY} and served is not None and found.num_tokens:
                ratio = round(served.tokens_per_s / found.tokens_per_s, 2)
                if name != ours:
                    ratios.setdefault(f"{ours} / {name}", {})[str(num_streams)] = ratio
    for (name, num_streams), found in results.items():
        if name == OURS and found.gap_s and found.first_event_s:
            first_s, gap_s = (statistics.median(t) for t in (found.first_event_s, found.gap_s))
            if gap_s:  # In a run of half a second, most events may arrive together with another.
                by_streams = ratios.setdefault(f"{OURS}: first event / gap between events", {})
                by_streams[str(num_streams)] = round(first_s / gap_s, 2)
    new, same = (results.get((name, 1)) for name in _TIMES_ONLY)
    if new and same and new.first_event_s and same.first_event_s:
        ratio = statistics.median(same.first_event_s) / statistics.median(new.first_event_s)
        ratios[f"first event, {SAME_PROMPT} / {NEW_PROMPT}"] = {"1": round(ratio, 3)}
    return ratios


def _table(report: dict[str, Any]) -> str:
    lines = [
        f"{report['model']} ({report['precision']}), {report['num_rounds']} rounds",
        headline(report["machine"]),
        "",
        (
            f"{'':28}{'streams':>8}{'tokens/s':>10}{'client cores':>14}"
            f"{'first event ms (p50/p95/p99)':>32}{'gap ms (p50/p95/p99)':>28}"
        ),
    ]
    for row in sorted(report["rows"], key=lambda row: row["streams"]):
        first, gap = (
            "/".join(f"{row[kind][p]:.1f}" for p in ("p50", "p95", "p99")) if row[kind] else "-"
            for kind in ("first_event_ms", "gap_ms")
        )
        lines.append(
            f"{row['contestant']:28}{row['streams']:>8}{row['tokens_per_s']:>10,.0f}"
            f"{row['client_cores'] or '-':>14}"
            f"{first:>32}{gap:>28}"
        )
    lines.append("")
    for name, by_streams in report["ratios"].items():
        shown = ", ".join(f"{ratio:g} at {streams}" for streams, ratio in by_streams.items())
        lines.append(f"{name}: {shown}")
    return "\n".join(lines)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model-store", type=Path, default=Path("model_store"), metavar="DIR")
    parser.add_argument("--model", default="shakespeare", metavar="NAME")
    parser.add_argument(
        "--streams",
        type=lambda text: [int(part) for part in text.split(",")],
        default=[1, 16, 64, 256],
        metavar="N,...",
        help="numbers of concurrent streams (default 1,16,64,256)",
    )
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="default 3")
    parser.add_argument(
        "--seconds", type=float, default=5.0, metavar="S", help="of one measurement (default 5)"
    )
    parser.add_argument("--warmup-s", type=float, default=1.5, metavar="S", help="default 1.5")
    parser.add_argument("--max-tokens", type=int, default=256, metavar="N", help="default 256")
    parser.add_argument("--without-torch", action="store_true", help="leave out the tutorial way")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
