"""What do the ways to draw cost at a large vocabulary, if all rows use one, and if one row does?

    python -m benchmarks.samplers [--model NAME] [--rows 64] [--rounds 7] [--json FILE]

No HTTP: a decoder with one thread, as each lane of an engine has. Tokens per second of processor
time, so that other programs on the machine matter less; all ways are measured in every round, one
after the other, and a ratio is the median over the rounds. The texts begin with the model's start
sign, so that its distributions are those of texts: how long the sampler takes depends on them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bare import BURST_STEPS, Model
from benchmarks.engines import request_of
from benchmarks.machine import describe_machine, headline
from benchmarks.ratios import print_ratios
from service.artifacts.store import ModelStore
from service.rows.row import Row
from service.runtime.decoder import SAMPLED, Burst
from service.runtime.rules import TokenRules
from service.runtime.sampling import Sampling

WAYS: Mapping[str, Mapping[str, Any]] = {
    "temperature": {},
    "greedy": {"temperature": 0.0},
    "top-k 50 and top-p 0.95": {"top_k": 50, "top_p": 0.95},
    "top-p 0.95": {"top_p": 0.95},
    "top-p 0.95, temperature 1": {"top_p": 0.95, "temperature": 1.0},
    "min-p 0.05": {"min_p": 0.05},
    "min-p 0.05, temperature 1": {"min_p": 0.05, "temperature": 1.0},
    "three penalties": {
        "repetition_penalty": 1.1,
        "presence_penalty": 0.1,
        "frequency_penalty": 0.1,
    },
    "two biased ids": {"rules": TokenRules(bias=((5, 1.0), (9, -100.0)))},
    "10 log-probabilities": {"num_logprobs": 10},
}
"""Ratios are to the first."""

_NUM_BURSTS = 8


class Drawing:
    """Some rows that draw in one way, and others that draw at a temperature alone.

    Args:
        model: What they draw from.
        start_id: The first token of their texts.
        num_rows: All of them.
        num_special: How many draw as `way` says.
        way: Fields of `Sampling`.
    """

    def __init__(
        self, model: Model, start_id: int, num_rows: int, num_special: int, way: Mapping[str, Any]
    ) -> None:
        self._decoder = model.decoder(num_rows, num_threads=1)
        self._samplings: list[Sampling] = [
            request_of(slot, **(way if slot < num_special else {})).sampling
            for slot in range(num_rows)
        ]
        forced_KB = np.full((BURST_STEPS, num_rows), SAMPLED)
        self._first = self._burst(np.vstack([np.full((1, num_rows), start_id), forced_KB]))
        self._burst_of = self._burst(forced_KB)
        self.digest = ""

    @staticmethod
    def _burst(forced_KB: np.ndarray) -> Burst:
        num_steps, num_rows = forced_KB.shape
        keep_B = np.ones(num_rows, np.bool_)
        return Burst(np.arange(num_rows), forced_KB, np.full(num_rows, num_steps), keep_B)

    def tokens_per_s(self) -> float:
        """Tokens per second of processor time, of the first some hundred of each text."""
        for slot, sampling in enumerate(self._samplings):
            self._decoder.load(slot, Row.start(self._decoder.row_shape), sampling)
        bursts = [self._first, *[self._burst_of] * (_NUM_BURSTS - 1)]
        started_s = time.process_time()
        results = [self._decoder.burst(burst) for burst in bursts]
        used_s = time.process_time() - started_s
        token_KB = np.vstack([result.token_KB for result in results])
        self.digest = hashlib.sha256(token_KB.tobytes()).hexdigest()[:16]
        return token_KB.size / used_s


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the tables, write the JSON."""
    options = _options(arguments)
    store = ModelStore(options.model_store)
    artifact = store.verify(options.model, store.versions(options.model)[-1])
    model, special = Model.of(artifact), artifact.manifest.special_ids
    start_id = next((each for each in (special.start, special.end) if each is not None), 1)
    machine = describe_machine()
    print(f"{artifact.ref}, {options.rounds} rounds\n{headline(machine)}")
    report: dict[str, Any] = {"model": artifact.ref, "machine": machine, "groups": {}}
    for num_special in (options.rows, 1):
        group = {
            name: Drawing(model, start_id, options.rows, num_special, way)
            for name, way in WAYS.items()
            if options.ways is None or name in (next(iter(WAYS)), *options.ways)
        }
        name = f"tokens per processor second, {num_special} of {options.rows} rows"
        print(f"\n{name}")
        for each in group.values():
            each.tokens_per_s()
        rounds = [
            {name: each.tokens_per_s() for name, each in group.items()}
            for _ in range(options.rounds)
        ]
        found: dict[str, Any] = print_ratios(rounds)
        for way, each in group.items():
            found[way]["texts"] = each.digest
        report["groups"][name] = found
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model-store", type=Path, default=Path("model_store"), metavar="DIR")
    parser.add_argument("--model", default="songci", metavar="NAME", help="default songci")
    parser.add_argument("--rows", type=int, default=64, metavar="N", help="default 64")
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="default 7")
    parser.add_argument("--ways", nargs="+", choices=WAYS, metavar="WAY", help="only these")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write all figures and digests of the texts here"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
