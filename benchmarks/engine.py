"""How near does the engine come to the burst graph by itself, and what do its options cost?

    python -m benchmarks.engine [--model NAME] [--rows 1,16,64,256] [--rounds N] [--json FILE]

No HTTP here; see `benchmarks.serving` for that. All of a group are measured in every round, one
after the other, and a ratio is the median over the rounds: the speed of a shared machine drifts.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bare import BURST_STEPS, BareBurst, BareBursts, BareStep, Model
from benchmarks.engines import (
    Contestant,
    closed_loop,
    engine_of,
    request_of,
    until_idle,
)
from benchmarks.machine import describe_machine, headline
from benchmarks.ratios import print_ratios
from service.artifacts.store import ModelStore
from service.rows.row import Row
from service.runtime.cores import usable_cores
from service.runtime.decoder import SAMPLED, Burst

Group = dict[str, Contestant]
"""Contestants by name; ratios are to the first."""

OPTIONS: Mapping[str, dict[str, Any]] = {
    "temperature": {},
    "greedy": {"temperature": 0.0},
    "top-k 50 and top-p 0.95": {"top_k": 50, "top_p": 0.95},
    "top-p 0.95": {"top_p": 0.95},
    "min-p 0.05": {"min_p": 0.05},
    "three penalties": {
        "repetition_penalty": 1.1,
        "presence_penalty": 0.1,
        "frequency_penalty": 0.1,
    },
    "10 log-probabilities": {"num_logprobs": 10},
}
_NUM_ROWS = 64
_LONG_PROMPT = 1000


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the tables, write the JSON."""
    options = _options(arguments)
    store = ModelStore(options.model_store)
    artifact = store.verify(options.model, store.versions(options.model)[-1])
    model = Model.of(artifact)
    report: dict[str, Any] = {"model": artifact.ref, "machine": describe_machine()}
    report["num_rounds"] = options.rounds
    print(f"{artifact.ref}, {options.rounds} rounds\n{headline(report['machine'])}")
    with asyncio.Runner() as loop:
        groups = {f"tokens/s, {rows} rows": _distances(loop, model, rows) for rows in options.rows}
        groups[f"tokens/s by option, {_NUM_ROWS} rows"] = _sampling(model)
        if options.large and importlib.util.find_spec("torch") is not None:
            name = f"tokens/s by option, {_NUM_ROWS} rows, vocabulary {options.large}"
            groups[name] = _sampling(Model.random(options.large))
        groups[f"tokens/s by engines and their threads, {_NUM_ROWS} rows"] = _threads(loop, model)
        groups[f"seconds to the first token, prompt of {_LONG_PROMPT}"] = _prompts(loop, model)
        groups["cores taken by an engine without work"] = {"idle": _idle(loop, model)}
        report["groups"] = {
            name: _compare(name, group, options.rounds, options.seconds)
            for name, group in groups.items()
        }
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _compare(name: str, group: Group, num_rounds: int, duration_s: float) -> dict[str, Any]:
    """Measure all in turn; print and return medians, and the median ratio to the first."""
    for contestant in group.values():
        contestant(min(0.3, duration_s))
    rounds = [
        {key: contestant(duration_s) for key, contestant in group.items()}
        for _ in range(num_rounds)
    ]
    print(f"\n{name}")
    return print_ratios(rounds)


def _repeat(run: Callable[[], int], duration_s: float) -> float:
    """Tokens/s of calls that return their number of tokens."""
    num_tokens = 0
    started_s = time.perf_counter()
    while (elapsed_s := time.perf_counter() - started_s) < duration_s:
        num_tokens += run()
    return num_tokens / elapsed_s


def _distances(loop: asyncio.Runner, model: Model, num_rows: int) -> Group:
    """From the bare graph to the engine."""
    bare, bares = BareBurst(model, num_rows), BareBursts(model, num_rows)
    step = BareStep(model, num_rows)
    one_a_core = [1] * min(usable_cores(), num_rows)
    return {
        "bare burst graph": lambda duration_s: _repeat(bare.run, duration_s),
        "decoder": _decoder(model, num_rows, {}),
        "bare burst graphs, one a core": lambda duration_s: _repeat(bares.run, duration_s),
        "engines, one a core": closed_loop(loop, model, num_rows, one_a_core),
        "bare step graph (no sampling)": lambda duration_s: _repeat(step.run, duration_s),
    }


def _sampling(model: Model) -> Group:
    """The price of each option, if every row uses it; and of rows that stop in mid-burst."""
    group = {name: _decoder(model, _NUM_ROWS, sampling) for name, sampling in OPTIONS.items()}
    group["rows of sessions that stop early"] = _decoder(model, _NUM_ROWS, {}, stops=True)
    return group


def _threads(loop: asyncio.Runner, model: Model) -> Group:
    cores = usable_cores()
    return {
        f"1 engine, threads: {cores}": closed_loop(loop, model, _NUM_ROWS, [cores]),
        f"{cores} engines, threads: 1": closed_loop(loop, model, _NUM_ROWS, [1] * cores),
        "1 engine, threads: 1 ": closed_loop(loop, model, _NUM_ROWS, [1]),
    }


def _prompts(loop: asyncio.Runner, model: Model) -> Group:
    """A new prompt each time, and the same one again and again."""
    engine = engine_of(loop, model, 4, [1])

    async def first_token(seed: int) -> float:
        started_s = time.perf_counter()
        stream = engine.submit(request_of(seed, prompt_size=_LONG_PROMPT))
        await stream.next()
        duration_s = time.perf_counter() - started_s
        stream.close()
        await until_idle(engine)
        return duration_s

    def repeated(seeds: Callable[[int], int]) -> Contestant:
        async def measure(duration_s: float) -> float:
            started_s = time.perf_counter()
            times_s: list[float] = []
            while not times_s or time.perf_counter() - started_s < duration_s:
                times_s.append(await first_token(seeds(len(times_s))))
            return statistics.median(times_s)

        return lambda duration_s: loop.run(measure(duration_s))

    loop.run(first_token(0))
    fresh = iter(range(1, 10**9))
    return {"cold": repeated(lambda _: next(fresh)), "cached": repeated(lambda _: 0)}


def _idle(loop: asyncio.Runner, model: Model) -> Contestant:
    engine = engine_of(loop, model, 4, [1])

    async def measure(duration_s: float) -> float:
        await engine.submit(request_of(0)).next()
        await asyncio.sleep(0.2)
        started_s, used_s = time.perf_counter(), time.process_time()
        await asyncio.sleep(duration_s)
        return (time.process_time() - used_s) / (time.perf_counter() - started_s)

    return lambda duration_s: loop.run(measure(duration_s))


def _decoder(
    model: Model, num_rows: int, sampling: Mapping[str, Any], *, stops: bool = False
) -> Contestant:
    """Bursts, one after the other; if it `stops`, each row at another step (all are counted)."""
    decoder = model.decoder(num_rows)
    num_steps_B = np.full(num_rows, BURST_STEPS)
    if stops:
        num_steps_B -= np.arange(num_rows) % BURST_STEPS
    burst = Burst(
        np.arange(num_rows),
        np.full((BURST_STEPS, num_rows), SAMPLED),
        num_steps_B,
        keep_B=np.ones(num_rows, np.bool_),
    )

    def run() -> int:
        decoder.burst(burst)
        return num_rows * BURST_STEPS

    def measure(duration_s: float) -> float:
        for slot in range(num_rows):
            row = Row.start(decoder.row_shape)
            decoder.load(slot, row, request_of(slot, **sampling).sampling)
        return _repeat(run, duration_s)

    return measure


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model-store", type=Path, default=Path("model_store"), metavar="DIR")
    parser.add_argument("--model", default="shakespeare", metavar="NAME")
    parser.add_argument(
        "--rows",
        type=lambda text: [int(part) for part in text.split(",")],
        default=[1, 16, 64, 256],
        metavar="N,...",
        help="batch sizes (default 1,16,64,256)",
    )
    parser.add_argument(
        "--large",
        type=int,
        default=4096,
        metavar="V",
        help="vocabulary of the second model, made of random weights with torch; 0 leaves it out",
    )
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="default 7")
    parser.add_argument(
        "--seconds", type=float, default=1.0, metavar="S", help="of one measurement (default 1)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
