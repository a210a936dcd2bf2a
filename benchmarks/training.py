"""How fast does a config train, beside the network by itself?

    python -m benchmarks.training [CONFIG] [--text FILE] [--rounds N] [--json FILE]

All are measured in every round, one after the other, and a ratio is the median over the rounds: the
speed of a shared machine drifts. Two processes (`torchrun`) are compared with one at the same batch
in runs of their own, in turn too.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.machine import describe_machine, headline
from benchmarks.ratios import print_ratios
from training.batches.token_files import TokenFiles
from training.config.files import load_config
from training.config.model import ModelConfig
from training.config.train import TrainConfig
from training.corpora.load import at_path, load_corpus
from training.loop.memory import keep_freed_memory
from training.loop.train import denormals_as_zeros
from training.loop.trainer import Trainer
from training.runs.checkpoints import RunIdentity
from training.runs.metrics import METRICS_FILE, read_history
from training.runs.run_folder import RunFolder, new_identity

Step = Callable[[], object]
_STEPS_OF_A_RUN = 40


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the tables, write the JSON."""
    options = _options(arguments)
    config = load_config(options.config)
    if options.text is not None:
        corpus_config = at_path(config.corpus, options.text.resolve())
        config = config.model_copy(update={"corpus": corpus_config})
    corpus = load_corpus(config.corpus, options.data, config.cleaning)
    report: dict[str, Any] = {"config": config.name, "machine": describe_machine()}
    print(f"{config.name}, {options.rounds} rounds, {torch.get_num_threads()} threads")
    print(headline(report["machine"]))
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder, denormals_as_zeros():
        identity = new_identity(config, corpus)
        tokens = RunFolder(Path(folder)).tokens(identity, corpus)
        report["steps"] = _compare(_steps(identity, tokens), config, options.rounds)
        if options.processes > 1:
            text = Path(folder) / "text.txt"
            text.write_text(corpus.train.read(), encoding="utf-8")
            report["processes"] = _processes(options, text, Path(folder))
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _steps(identity: RunIdentity, tokens: TokenFiles) -> dict[str, Step]:
    """One step of each."""
    config = identity.config
    size = (config.training.window, config.training.batch_size)
    steps: dict[str, Step] = {}
    for precision in dict.fromkeys((identity.precision, "float32")):
        steps[f"nn.LSTM, {precision}"] = _bare(config.model, size, precision)
        trainer = Trainer(identity.model_copy(update={"precision": precision}), tokens)
        steps[f"training, {precision}"] = _training(trainer, config.training.learning_rate)
    columns = trainer.columns
    steps["the next window, no training"] = _counting(lambda n: columns[n % columns.num_windows])
    return steps


def _training(trainer: Trainer, learning_rate: float) -> Step:
    # At a rate of its own: a schedule ends, a benchmark goes on for as long as it likes.
    return _counting(lambda number: trainer.take(number, learning_rate))


def _counting(step: Callable[[int], object]) -> Step:
    number = iter(range(10**9))
    return lambda: step(next(number))


def _bare(config: ModelConfig, size: tuple[int, int], precision: str) -> Step:
    """The layers alone, forth and back: no embedding, no output, no optimiser, no dropout."""
    lstm = nn.LSTM(config.embedding_size, config.hidden_size, config.num_layers)
    x_TBE = torch.randn(*size, config.embedding_size)

    def step() -> None:
        lstm.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            y_TBH, _ = lstm(x_TBE)
        y_TBH.sum().backward()

    return step


def _compare(steps: dict[str, Step], config: TrainConfig, num_rounds: int) -> dict[str, Any]:
    """Tokens/s of all; ratios of what trains to the network by itself, and to float32."""
    num_tokens = config.training.window * config.training.batch_size
    rounds = [
        {name: num_tokens / _seconds(step) for name, step in steps.items()}
        for _ in range(num_rounds + 1)
    ]
    del rounds[0]  # the first steps make what later ones find
    groups = {
        kind: [name for name in steps if name.endswith(kind)]
        for kind in ("bfloat16", "float32", "no training")
    }
    groups["float32 and bfloat16"] = sorted(n for n in steps if n.startswith("training, "))[::-1]
    found = {}
    for group, names in groups.items():
        if names:
            print(f"\ntokens/s, {group}")
            found[group] = print_ratios([{n: figures[n] for n in names} for figures in rounds])
    return found


def _seconds(step: Step, at_least_s: float = 1.0) -> float:
    """For one step."""
    count, started_s = 0, time.perf_counter()
    while (elapsed_s := time.perf_counter() - started_s) < at_least_s:
        step()
        count += 1
    return elapsed_s / count


def _processes(options: argparse.Namespace, text: Path, folder: Path) -> dict[str, Any]:
    """Whole runs of the command line, in turn: one process with all cores, several with one each.

    The time of a step is the median over the run: beginnings and evaluations are left out.
    """
    rounds = [
        {
            f"processes: {size}": _train(options, text, folder / f"run-{n}-{size}", size)
            for size in (1, options.processes)
        }
        for n in range(options.rounds)
    ]
    print("\ntokens/s by processes, at the same batch")
    return print_ratios(rounds)


def _train(options: argparse.Namespace, text: Path, run: Path, processes: int) -> float:
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command = [sys.executable, *(launcher if processes > 1 else []), "-m", "training.cli", "train"]
    command += [str(options.config), "--text", str(text), "--run-dir", str(run), "--epochs", "1"]
    command += ["--threads", str(max(1, torch.get_num_threads() // processes))]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while process.poll() is None:
            steps = read_history(run / METRICS_FILE).steps
            if len(steps) > _STEPS_OF_A_RUN:
                break
            time.sleep(0.5)
    finally:
        process.terminate()
        process.wait()
    steps = read_history(run / METRICS_FILE).steps[5:]
    if len(steps) < 2:
        raise SystemExit(f"a run with {processes} processes made no steps")
    times = [b.wall_time_s - a.wall_time_s for a, b in itertools.pairwise(steps)]
    training = load_config(options.config).training
    return training.window * training.batch_size / statistics.median(times)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "config",
        nargs="?",
        type=Path,
        default=Path("training/configs/shakespeare.toml"),
        metavar="CONFIG",
    )
    parser.add_argument("--text", type=Path, metavar="FILE", help="instead of the config's corpus")
    parser.add_argument("--data", type=Path, metavar="DIR", help="where the named corpora are")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="default 5")
    parser.add_argument(
        "--processes", type=int, default=2, metavar="N", help="default 2; 1 leaves torchrun out"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
