"""How the cost grows with the model, and where the burst graph is the best way to run it.

    python -m benchmarks.growth [--rows 1,64] [--rounds 5] [--full] [--json FILE]

No HTTP. LSTMs of random weights, exported and quantised to int8 as published ones are, in memory.
Each is run in three ways, in turn: bursts of 16 steps in the burst graph, as it is served; a loop
of single steps, with the draw in numpy (`runtime.reference.stepwise`); and single steps without any
draw, which no loop of single steps can beat. One thread, tokens per second of processor time, so
that other programs on the machine matter less; ratios are taken in a round, then the median.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bare import BURST_STEPS, Model
from benchmarks.engines import request_of
from benchmarks.machine import describe_machine, headline
from service.rows.row import Row
from service.runtime.decoder import SAMPLED, Burst, Decoder
from service.runtime.reference.stepwise import StepwiseDecoder
from service.runtime.step import StepGraph

HIDDEN_SIZES = (128, 256, 512, 1024, 2048)
NUM_LAYERS = (1, 2, 3, 4)
VOCABULARIES = (66, 1_000, 5_127, 33_278)
BURST, STEPS, BARE = "burst graph", "single steps", "single steps, no draw"


@dataclass(frozen=True)
class Sizes:
    """Of a model."""

    hidden_size: int = 512
    num_layers: int = 2
    vocabulary_size: int = 66

    def model(self) -> Model:
        """An LSTM of random weights, in int8."""
        import torch

        from training.config.model import ModelConfig
        from training.export.quantisation import quantise
        from training.export.step_graph import export_step
        from training.models.build import build_model

        torch.manual_seed(0)
        config = ModelConfig(hidden_size=self.hidden_size, num_layers=self.num_layers)
        network = build_model(config, self.vocabulary_size)
        names = [f"layer{n}.{part}" for n in range(self.num_layers) for part in "hc"]
        return Model(quantise(export_step(network, {})), names)


def sizes(*, full: bool) -> list[Sizes]:
    """One size changed at a time, from the bundled model's; or all of them with each other."""
    if full:
        every = itertools.product(HIDDEN_SIZES, NUM_LAYERS, VOCABULARIES)
        return [Sizes(*each) for each in every]
    chosen = [Sizes(hidden_size=each) for each in HIDDEN_SIZES]
    chosen += [Sizes(num_layers=each) for each in NUM_LAYERS]
    chosen += [Sizes(vocabulary_size=each) for each in VOCABULARIES]
    return list(dict.fromkeys(chosen))


def contestants(model: Model, num_rows: int) -> dict[str, Callable[[], None]]:
    """Each way as a call that makes 16 tokens for every row."""
    step = StepGraph(model.graph.SerializeToString(), state_names=model.state_names)
    state = step.zero_state(num_rows)
    token_B = np.zeros(num_rows, np.int64)

    def bare() -> None:
        nonlocal state
        for _ in range(BURST_STEPS):
            _, state = step(token_B, state)

    return {
        BURST: _drawing(model.decoder(num_rows, num_threads=1), num_rows),
        STEPS: _drawing(StepwiseDecoder(step, capacity=num_rows), num_rows),
        BARE: bare,
    }


def _drawing(decoder: Decoder, num_rows: int) -> Callable[[], None]:
    for slot in range(num_rows):
        decoder.load(slot, Row.start(decoder.row_shape), request_of(slot).sampling)
    forced_KB = np.full((BURST_STEPS, num_rows), SAMPLED)
    every_B = np.full(num_rows, BURST_STEPS)
    burst = Burst(np.arange(num_rows), forced_KB, every_B, keep_B=np.ones(num_rows, np.bool_))

    def run() -> None:
        decoder.burst(burst)

    return run


def compare(
    ways: Mapping[str, Callable[[], None]], num_rows: int, num_rounds: int, at_least_s: float
) -> dict[str, Any]:
    """Medians: tokens per processor second, milliseconds of a burst, and ratios to the burst graph.

    Args:
        ways: Calls that make 16 tokens for every row; the first is what the others are over.
        num_rows: How many rows they have.
        num_rounds: How often each is measured.
        at_least_s: Processor time of one measurement.
    """
    for run in ways.values():
        run()
    rounds = [
        {name: _seconds(run, at_least_s) for name, run in ways.items()} for _ in range(num_rounds)
    ]
    first = next(iter(ways))
    found: dict[str, Any] = {}
    for name in ways:
        burst_s = statistics.median(each[name] for each in rounds)
        found[name] = {
            "tokens_per_s": round(num_rows * BURST_STEPS / burst_s, 1),
            "burst_ms": round(burst_s * 1000, 3),
            "ratio": round(statistics.median(each[first] / each[name] for each in rounds), 3),
        }
    return found


def _seconds(run: Callable[[], None], at_least_s: float) -> float:
    """Processor time of one call."""
    count, started_s = 0, time.process_time()
    while (used_s := time.process_time() - started_s) < at_least_s or not count:
        run()
        count += 1
    return used_s / count


def rows_of(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """What was found, model by model."""
    for each in sizes(full=options.full):
        model = each.model()
        for num_rows in options.rows:
            ways = contestants(model, num_rows)
            found = compare(ways, num_rows, options.rounds, options.seconds)
            yield {**asdict(each), "rows": num_rows, "ways": found}


def line(row: Mapping[str, Any]) -> str:
    """A line of a table in Markdown."""
    burst, ways = row["ways"][BURST], row["ways"]
    return (
        f"| {row['num_layers']}x{row['hidden_size']} | {row['vocabulary_size']:,} | {row['rows']} "
        f"| {burst['tokens_per_s']:,.0f} | {burst['burst_ms']:,.1f} "
        f"| {ways[STEPS]['ratio']:.2f} | {ways[BARE]['ratio']:.2f} |"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print a line for each model and number of rows, write the JSON."""
    options = _options(arguments)
    machine = describe_machine()
    print(f"{options.rounds} rounds\n{headline(machine)}\n")
    print(f"| model | ids | rows | tokens/s | ms a burst | {STEPS} | {BARE} |", flush=True)
    print("|---|---|---|---|---|---|---|", flush=True)
    found = []
    for row in rows_of(options):
        found.append(row)
        print(line(row), flush=True)
    if options.json:
        report = {"machine": machine, "num_rounds": options.rounds, "rows": found}
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rows",
        type=lambda text: [int(part) for part in text.split(",")],
        default=[1, 64],
        metavar="N,...",
        help="numbers of rows (default 1,64)",
    )
    parser.add_argument("--full", action="store_true", help="all sizes with each other (80 models)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="default 5")
    parser.add_argument(
        "--seconds", type=float, default=0.3, metavar="S", help="of one measurement (default 0.3)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
