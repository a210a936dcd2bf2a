"""Which form of an adaptive softmax is the faster one to serve, at the same probabilities?

    python -m benchmarks.softmax [--rounds N] [--json FILE]

A step gives the probabilities of all words, so the clusters that made training fast save nothing by
themselves. Left is the factorisation: a rare word's product H -> D -> words, against one product
H -> words with the narrow ones multiplied out beforehand. Both are exported from the same weights
and run in the server's runtime, one step at a time on all cores; in int8 the factors of rare words
stay float32, since what they multiply has no bound. Beside them stands an ordinary softmax, which
is another model. All are measured in every round, one after the other; a ratio is the median over
the rounds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from benchmarks.machine import describe_machine, headline
from service.runtime.cores import usable_cores
from service.runtime.step import StepGraph
from training.config.model import ModelConfig
from training.export.quantisation import quantise
from training.export.step_graph import able_to_write, export_step
from training.models.adaptive_softmax import AdaptiveSoftmax, log_probabilities
from training.models.build import build_model
from training.models.language_model import RecurrentLanguageModel
from training.models.output import Output

ROWS = (1, 16, 64)


@dataclass(frozen=True)
class Sizes:
    """A model of words: two LSTM layers, and the clusters of its output."""

    hidden_size: int
    vocabulary_size: int
    cutoffs: tuple[int, ...]

    def __str__(self) -> str:
        """For a heading."""
        clusters = " and ".join(f"{cutoff:,}" for cutoff in self.cutoffs)
        return f"2x{self.hidden_size}, {self.vocabulary_size:,} words, clusters from {clusters}"

    def model(self, *, adaptive: bool) -> RecurrentLanguageModel:
        """Its weights as they are before training."""
        torch.manual_seed(0)
        config = ModelConfig(
            hidden_size=self.hidden_size,
            embedding_size=self.hidden_size,
            adaptive_cutoffs=self.cutoffs if adaptive else (),
        )
        return able_to_write(build_model(config, self.vocabulary_size))


SIZES = (
    Sizes(200, 10_000, (2_000,)),
    Sizes(200, 33_278, (4_000, 16_000)),
    Sizes(512, 33_278, (4_000, 16_000)),
)


class OneProduct(Output):
    """The probabilities of an adaptive softmax from one product."""

    def __init__(self, output: AdaptiveSoftmax) -> None:
        super().__init__()
        self.vocabulary_size = output.vocabulary_size
        self.adaptive = output

    def logits(self, hidden_NH: Tensor) -> Tensor:
        """All clusters."""
        return self.adaptive.logits(hidden_NH)

    def step(self, bound_H: Tensor) -> OneProductStep:
        """All clusters."""
        return OneProductStep(self.adaptive, bound_H)


class OneProductStep(nn.Module):
    """hidden W + b, each cluster normalised by itself."""

    weight: Tensor
    bias: Tensor

    def __init__(self, output: AdaptiveSoftmax, bound_H: Tensor) -> None:
        super().__init__()
        softmax = output.softmax
        with torch.no_grad():
            parts = [softmax.head.weight]
            for tail in softmax.tail:
                narrow, words = cast("tuple[nn.Linear, nn.Linear]", tail.children())
                parts.append(words.weight @ narrow.weight)
            self.sizes = [len(part) for part in parts]
            bias = torch.zeros(sum(self.sizes))
            bias[: self.sizes[0]] = softmax.head.bias
            self.register_buffer("weight", torch.cat(parts).t() * bound_H[:, None])
            self.register_buffer("bias", bias)

    def forward(self, hidden_BH: Tensor) -> Tensor:
        """Log-probabilities float32[B, V]."""
        head, *tails = torch.split(hidden_BH @ self.weight + self.bias, self.sizes, dim=1)
        return log_probabilities(head, tails)


def main(arguments: Sequence[str] | None = None, sizes: Sequence[Sizes] = SIZES) -> None:
    """Measure, print the tables, write the JSON."""
    options = _options(arguments)
    report: dict[str, Any] = {"machine": describe_machine()}
    print(headline(report["machine"]))
    for one in sizes:
        report[str(one)] = _compare(one, options.rounds)
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _compare(sizes: Sizes, num_rounds: int) -> dict[str, Any]:
    """Seconds of a step by the number of rows, the ratio to the first, and how equal it is."""
    graphs = _graphs(sizes)
    steps = {
        name: StepGraph(graph.SerializeToString(), num_threads=usable_cores())
        for name, graph in graphs.items()
    }
    first = next(iter(steps))
    exact_BV = _logits(steps["factorised, float32"])
    print(f"\n{sizes}\n  {'us a step, speed to the first':30}{'MB':>6}", end="")
    print("".join(f"{f'{rows} rows':>17}" for rows in ROWS) + f"{'differs by':>13}")
    rounds = [
        {(name, rows): _seconds(step, rows) for rows in ROWS for name, step in steps.items()}
        for _ in range(num_rounds)
    ]
    found: dict[str, Any] = {}
    for name, step in steps.items():
        times = {
            rows: {
                "seconds": statistics.median(one[name, rows] for one in rounds),
                "ratio": statistics.median(one[first, rows] / one[name, rows] for one in rounds),
            }
            for rows in ROWS
        }
        difference = float(np.abs(_logits(step) - exact_BV).max())
        megabytes = graphs[name].ByteSize() / 1e6
        found[name] = {"steps": times, "megabytes": megabytes}
        cells = "".join(
            f"{1e6 * at['seconds']:>10,.0f}{at['ratio']:>7.2f}" for at in times.values()
        )
        line = f"  {name:30}{megabytes:>6.1f}{cells}"
        if not name.startswith("ordinary"):
            found[name]["difference"] = difference
            line += f"{difference:>13.1e}"
        print(line)
    return found


def _graphs(sizes: Sizes) -> dict[str, onnx.ModelProto]:
    """The contestants, by name; the first is what is served."""
    factorised, one_product = sizes.model(adaptive=True), sizes.model(adaptive=True)
    output = one_product.output
    assert isinstance(output, AdaptiveSoftmax)
    one_product.output = OneProduct(output)
    models = {
        "factorised": factorised,
        "one product": one_product,
        "ordinary softmax": sizes.model(adaptive=False),
    }
    graphs: dict[str, onnx.ModelProto] = {}
    for name, model in models.items():
        graph = export_step(model, {})
        graphs |= {f"{name}, int8": quantise(graph), f"{name}, float32": graph}
    return graphs


def _logits(step: StepGraph) -> np.ndarray:
    """Of a few rows after a few steps, float32[B, V]."""
    ids_TB = np.random.default_rng(0).integers(0, step.vocabulary_size, (8, 16))
    state = step.zero_state(16)
    for ids_B in ids_TB:
        logits_BV, state = step(ids_B, state)
    return logits_BV


def _seconds(step: StepGraph, rows: int, at_least_s: float = 0.1) -> float:
    """For one step."""
    ids_B = np.arange(rows) % step.vocabulary_size
    _, state = step(ids_B, step.zero_state(rows))
    count, started_s = 0, time.perf_counter()
    while (elapsed_s := time.perf_counter() - started_s) < at_least_s:
        _, state = step(ids_B, state)
        count += 1
    return elapsed_s / count


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="default 7")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
