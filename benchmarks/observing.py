"""What does it cost to watch and to guard: streaming with metrics, keys and logs, and without?

    python -m benchmarks.observing [--streams 64] [--rounds 8] [--seconds 4] [--json FILE]

Each round starts a server of each kind anew, one after the other, every second round in the other
order, so that neither the drift of a shared machine nor the luck of one process decides. Tokens a
second say what clients get; tokens for each second of the server's processor time say what it
costs, and are hardly touched by whoever else is on the machine. To reach: a ratio of 0.97.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.abuse.victim import Victim
from benchmarks.contestants import Server
from benchmarks.load import Ask, measure
from benchmarks.machine import describe_machine, headline
from benchmarks.ratios import print_ratios
from service.access.keys import entry_of, new_key
from service.load.recorder import Timing

_COMMAND = ["service.cli", "serve", "--session-store", "memory://", "--max-rows", "512"]
_OFF, _ON = "without", "metrics, keys and a line a request"


@dataclass(frozen=True)
class Kind:
    """A server with some settings, and the key of its clients."""

    name: str
    server: Server
    api_key: str | None

    def figures(self, streams: int, seconds: float) -> dict[str, float]:
        """Tokens a second, and tokens for each second of its processor time."""
        with self.server.running() as process:
            for timing in (Timing(0.0, 3.0), Timing(0.0, seconds)):  # the first one warms it up
                before_s = _cpu_s(process.pid)
                asking = measure(self.server.port, streams, Ask(), timing, self.api_key)
                found = asyncio.run(asking)
                used_s = _cpu_s(process.pid) - before_s
        if not found.num_tokens:
            raise RuntimeError(f"{self.name}: no token came; take more --seconds")
        return {"tokens/s": found.tokens_per_s, "tokens/cpu-s": found.num_tokens / used_s}


def main() -> None:
    """Measure, print the medians and the ratios."""
    options = _options()
    command = [*_COMMAND, "--model-store", str(options.model_store), "--models", options.model]
    key = new_key()
    guarded = ["--metrics", "True", "--log-level", "info", "--api-keys", entry_of("bench", key)]
    off = Server(_OFF, [*command, "--metrics", "False", "--log-level", "warning"])
    field = [Kind(_OFF, off, None), Kind(_ON, Server(_ON, [*command, *guarded]), key)]
    machine = describe_machine()
    print(headline(machine), flush=True)
    rounds: list[Mapping[str, dict[str, float]]] = []
    for n in range(options.rounds):
        order = field if n % 2 == 0 else field[::-1]
        found = {each.name: each.figures(options.streams, options.seconds) for each in order}
        rounds.append({each.name: found[each.name] for each in field})
    report = {}
    for figure in ("tokens/s", "tokens/cpu-s"):
        print(f"{figure} at {options.streams} streams, {options.rounds} rounds:")
        of_figure = [{name: each[name][figure] for name in each} for each in rounds]
        report[figure] = print_ratios(of_figure)
    if options.json:
        content = {"machine": machine, "figures": report, "rounds": rounds}
        options.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _cpu_s(pid: int) -> float:
    used_s = Victim("127.0.0.1", 0, pid=pid).cpu_s()
    if used_s is None:
        raise RuntimeError("the server is gone")
    return used_s


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model-store", type=Path, default=Path("model_store"), metavar="DIR")
    parser.add_argument("--model", default="shakespeare", metavar="NAME")
    parser.add_argument("--streams", type=int, default=64, metavar="N", help="default 64")
    parser.add_argument("--rounds", type=int, default=8, metavar="N", help="default 8")
    parser.add_argument("--seconds", type=float, default=4.0, metavar="S", help="default 4")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found here")
    return parser.parse_args()


if __name__ == "__main__":
    main()
