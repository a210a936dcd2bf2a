"""What texts that have to match a pattern cost: in bursts, and until a pattern is compiled.

    python -m benchmarks.constrained [--models shakespeare,songci] [--rounds 15] [--rows 64]

No HTTP here. All kinds of bursts are measured in every round, one after the other; a ratio is the
median over the rounds, to the graph that cannot hold rows to anything.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.machine import describe_machine, headline
from benchmarks.ratios import print_ratios
from service.artifacts.reference import Reference
from service.artifacts.store import ModelStore
from service.models.checked import CheckedModel
from service.patterns.compiler import PatternCompiler
from service.patterns.pattern import JSON_OBJECT, Kind, Pattern, PatternRefused
from service.rows.row import Row
from service.runtime.automaton import Automaton, Constraint
from service.runtime.burst import BurstDecoder
from service.runtime.decoder import SAMPLED, Burst
from service.runtime.sampling import Sampling

_STEPS = 32
_ENDLESS = r"([^\n]{1,40}\n)*"
PATTERNS: tuple[tuple[Kind, str], ...] = (
    ("regex", "(yes|no), my (lord|lady)[.!]"),
    ("regex", _ENDLESS),
    ("regex", r"[A-Z]{2,9}:\n[^\n]{1,200}\n"),
    ("regex", r"(\p{Han}{5}\n){4}"),
    ("json_schema", '{"type":"boolean"}'),
    ("regex", JSON_OBJECT),
    ("regex", "(a{1,1000}){1,1000}"),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print the tables."""
    options = _options(arguments)
    print(headline(describe_machine()))
    store = ModelStore(options.model_store)
    for name in options.models:
        model = CheckedModel.of(store, Reference(name, store.versions(name)[-1]))
        print(f"\n{model.artifact.manifest.ref}: tokens/s of bursts of {options.rows} rows")
        automaton = asyncio.run(_automaton(model, "regex", _ENDLESS))
        _measure_bursts(model, automaton, options.rows, options.rounds)
        print("seconds to compile; states and classes of the automaton")
        for kind, content in PATTERNS:
            _measure_compiling(model, kind, content)


def _measure_bursts(
    model: CheckedModel, automaton: Automaton, num_rows: int, num_rounds: int
) -> None:
    decoders = {
        constrains: model.decoder(capacity=num_rows, num_threads=1, constrains=constrains)
        for constrains in (False, True)
    }
    kinds = [("cannot hold rows", False, 0), ("holds none of them", True, 0)]
    kinds += [(f"holds {held} of them", True, held) for held in sorted({1, num_rows})]
    rounds = [
        {name: _speed(decoders[can], automaton, num_rows, held) for name, can, held in kinds}
        for _ in range(num_rounds)
    ]
    print_ratios(rounds)


def _speed(decoder: BurstDecoder, automaton: Automaton, num_rows: int, num_held: int) -> float:
    """Tokens/s of some bursts that only draw."""
    for slot in range(num_rows):
        decoder.load(slot, Row.start(decoder.row_shape), Sampling(seed=slot, temperature=0.8))
    forced_KB = np.full((_STEPS, num_rows), SAMPLED)
    steps_B = np.full(num_rows, _STEPS)
    constraints = [Constraint(automaton) if slot < num_held else None for slot in range(num_rows)]
    started_s = time.perf_counter()
    for _ in range(4):
        burst = Burst(
            np.arange(num_rows),
            forced_KB,
            steps_B,
            steps_B < 0,
            constraints=constraints if num_held else None,
        )
        constraints = list(decoder.burst(burst).constraints or constraints)
    return 4 * _STEPS * num_rows / (time.perf_counter() - started_s)


def _measure_compiling(model: CheckedModel, kind: Kind, content: str) -> None:
    started_s = time.perf_counter()
    try:
        automaton = asyncio.run(_automaton(model, kind, content))
        found = "{} x {}".format(*automaton.next_SC.shape)
    except PatternRefused as error:
        found = str(error)
    print(f"  {content[:40]!r:46}{time.perf_counter() - started_s:8.2f}  {found}", flush=True)


async def _automaton(model: CheckedModel, kind: Kind, content: str) -> Automaton:
    compiler = PatternCompiler(timeout_s=30 if content != PATTERNS[-1][1] else 5, max_entries=1)
    return await compiler.automaton(
        Pattern(kind, content, kind), model.artifact.manifest, model.tokenizer
    )


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model-store", type=Path, default=Path("model_store"))
    parser.add_argument("--models", type=lambda names: names.split(","), default=["shakespeare"])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--rows", type=int, default=64)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
