"""What does the output of a word model cost to train, by its form?

    python -m benchmarks.softmax_training [--rounds N] [--threads N] [--json FILE]

From hidden states to losses and back to gradients, 20 x 35 places, in the number format that
training would choose. Words are drawn by Zipf's law, as they are in a text: what an adaptive
softmax saves depends on how many are rare. All are measured in every round, one after the other; a
ratio is the median over the rounds.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.machine import describe_machine, headline
from benchmarks.ratios import print_ratios
from training.loop.memory import keep_freed_memory
from training.loop.trainer import prepare_torch
from training.models.adaptive_softmax import AdaptiveSoftmax, TiedAdaptiveSoftmax
from training.models.output import Output, Softmax
from training.models.precision import resolve_precision

PLACES = 20 * 35
SIZES = ((200, 10_000, (1000, 4000)), (200, 33_278, (1000, 4000, 12_000)))
"""H, V, and where clusters begin."""
Sizes = tuple[int, int, tuple[int, ...]]


def main(arguments: Sequence[str] | None = None, sizes: Sequence[Sizes] = SIZES) -> None:
    """Measure, print the tables, write the JSON."""
    options = _options(arguments)
    prepare_torch(seed=0)
    torch.set_num_threads(options.threads or torch.get_num_threads())
    keep_freed_memory()
    report: dict[str, Any] = {"machine": describe_machine()}
    print(headline(report["machine"]))
    for one in sizes:
        report[f"{one[1]} words"] = _compare(one, options.rounds)
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _compare(sizes: Sizes, num_rounds: int) -> dict[str, Any]:
    """Places/s of each form, and how many times as fast as the first it is."""
    precision = resolve_precision("auto")
    hidden_NH = torch.randn(PLACES, sizes[0]).requires_grad_()
    target_N = torch.multinomial(1.0 / torch.arange(1, sizes[1] + 1), PLACES, replacement=True)

    def places_per_s(output: Output) -> float:
        output.zero_grad(set_to_none=True)
        hidden_NH.grad = None
        started_s = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            loss = output.losses(hidden_NH, target_N).mean()
        loss.backward()
        return PLACES / (time.perf_counter() - started_s)

    outputs = _outputs(*sizes)
    rounds = [
        {name: places_per_s(output) for name, output in outputs.items()}
        for _ in range(num_rounds + 1)
    ]
    del rounds[0]  # the first steps make what later ones find
    print(f"\nplaces/s, {sizes[0]} -> {sizes[1]:,} words, {precision}")
    return print_ratios(rounds)


def _outputs(hidden_size: int, vocabulary_size: int, cutoffs: tuple[int, ...]) -> dict[str, Output]:
    """The contestants, by name; the first is what others stand beside."""
    table = nn.Parameter(torch.randn(vocabulary_size, hidden_size) / hidden_size**0.5)
    return {
        "ordinary": Softmax(hidden_size, vocabulary_size, table),
        "adaptive, ever narrower": AdaptiveSoftmax(hidden_size, vocabulary_size, cutoffs, 2.0),
        "adaptive, tied": TiedAdaptiveSoftmax(table, cutoffs),
    }


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9, metavar="N", help="default 9")
    parser.add_argument("--threads", type=int, metavar="N", help="default: torch's choice")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
