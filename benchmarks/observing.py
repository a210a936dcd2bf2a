"""What does it cost to watch: streaming throughput with metrics and logs, and without?

    python -m benchmarks.observing [--streams 64] [--rounds 8] [--seconds 4]

Two servers run at the same time, one of which is asked at a time; each round asks both, the second
round in the other order, so that a machine whose speed drifts changes both. Trust the ratio.
"""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path

from benchmarks.contestants import Served, Server
from benchmarks.load import Ask
from benchmarks.ratios import print_ratios
from service.load.recorder import Timing

_OFF = "without"
_ON = "with metrics and a line a request"
_COMMAND = ["service.cli", "serve", "--session-store", "memory://", "--max-rows", "512"]


def main() -> None:
    """Measure, print the medians and the ratio."""
    options = _options()
    command = [*_COMMAND, "--model-store", str(options.model_store), "--models", options.model]
    off = Server(_OFF, [*command, "--metrics", "False", "--log-level", "warning"])
    on = Server(_ON, [*command, "--metrics", "True", "--log-level", "info"])
    field = [Served(server.name, server, Ask()) for server in (off, on)]
    timing = Timing(warmup_s=1.0, duration_s=options.seconds)
    rounds = []
    with contextlib.ExitStack() as stack:
        for server in (off, on):
            stack.enter_context(server.running())
        for n in range(options.rounds):
            order = field if n % 2 == 0 else field[::-1]
            found = {each.name: each.measure(options.streams, timing) for each in order}
            rounds.append({each.name: found[each.name].tokens_per_s for each in field})
    print(f"tokens/s at {options.streams} streams, {options.rounds} rounds:")
    print_ratios(rounds)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model-store", type=Path, default=Path("model_store"), metavar="DIR")
    parser.add_argument("--model", default="shakespeare", metavar="NAME")
    parser.add_argument("--streams", type=int, default=64, metavar="N", help="default 64")
    parser.add_argument("--rounds", type=int, default=8, metavar="N", help="default 8")
    parser.add_argument("--seconds", type=float, default=4.0, metavar="S", help="default 4")
    return parser.parse_args()


if __name__ == "__main__":
    main()
