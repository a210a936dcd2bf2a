"""Does memory grow with the corpus?

    python -m benchmarks.large_corpus [--megabytes N] [--folder DIR]

Makes a text of 3 MB and one of that many (1,000 by default), a quarter of their characters Chinese.
With each, a process of its own goes from the file to the 50th step of a small model, and then reads
every window once. What is shown is how long it took until the first step, and the most memory that
it had for itself, looked at every 20 ms: pages of the mapped ids are the system's, which takes them
back when it likes. (Linux only.)
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.machine import describe_machine, headline

_SMALL_BYTES = 3_000_000
_PIECE_CHARACTERS = 1_000_000
_STEPS = 50


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the texts, measure, print."""
    options = _options(arguments)
    if options.measure is not None:
        print(json.dumps(measure(options.measure)))
        return
    print(headline(describe_machine()))
    print(f"\n{'text':>12}{'characters':>16}{'vocabulary':>12}{'first step':>11}{'own memory':>13}")
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        for num_bytes in (_SMALL_BYTES, options.megabytes * 1_000_000):
            text = Path(name) / "text.txt"
            write_text(text, num_bytes)
            found, peak_bytes = watched("--measure", str(text))
            print(
                f"{num_bytes / 1e6:>9,.0f} MB{found['characters']:>16,}{found['vocabulary']:>12,}"
                f"{found['seconds']:>9,.0f} s{peak_bytes / 2**20:>9,.0f} MiB"
            )


def watched(*arguments: str) -> tuple[dict[str, float], int]:
    """What this program prints in another process, and the most anonymous memory that it took."""
    command = [sys.executable, "-m", "benchmarks.large_corpus", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        status = Path(f"/proc/{process.pid}/status")
        peak_kilobytes = 0
        while process.poll() is None:
            anonymous = re.search(r"RssAnon:\s*(\d+)", status.read_text(encoding="utf-8"))
            peak_kilobytes = max(peak_kilobytes, int(anonymous[1]) if anonymous else 0)
            time.sleep(0.02)
        assert process.stdout is not None
        printed = process.stdout.read()
    if process.returncode:
        raise SystemExit(process.returncode)
    return json.loads(printed), peak_kilobytes * 1024


def write_text(path: Path, num_bytes: int) -> None:
    """Lines of random characters, frequent and rare ones as languages have them (Zipf)."""
    draws = np.random.default_rng(0)
    latin, chinese = np.arange(ord("a"), ord("z") + 1), np.arange(0x4E00, 0x4E00 + 4_000)
    with path.open("wb") as file:
        while file.tell() < num_bytes:
            rank = draws.zipf(1.2, _PIECE_CHARACTERS)
            is_latin = draws.random(_PIECE_CHARACTERS) < 0.75
            points = np.where(is_latin, latin[rank % len(latin)], chinese[rank % len(chinese)])
            points[::60] = ord("\n")
            text = points.astype("<u4").tobytes().decode("utf-32-le").encode()
            file.write(text[: num_bytes - file.tell()].decode(errors="ignore").encode() or b"\n")


def measure(text: Path) -> dict[str, float]:
    """In this process: from a file to the 50th step of training, and through all windows."""
    # Only here: who writes the texts and waits needs no torch.
    from training.config.model import ModelConfig
    from training.config.optimisation import OptimisationConfig
    from training.config.text import CorpusConfig
    from training.config.train import TrainConfig
    from training.corpora.load import load_corpus
    from training.loop.trainer import Trainer
    from training.runs.run_folder import RunFolder, new_identity

    config = TrainConfig(
        name="large",
        corpus=CorpusConfig(path=str(text)),
        model=ModelConfig(hidden_size=64, embedding_size=32),
        training=OptimisationConfig(epochs=1, batch_size=8, window=64),
    )
    started_s = time.monotonic()
    corpus = load_corpus(config.corpus)
    identity = new_identity(config, corpus)
    tokens = RunFolder(text.parent).tokens(identity, corpus)
    trainer = Trainer(identity, tokens)
    seconds = time.monotonic() - started_s
    for step in range(_STEPS):
        trainer.step(step)
    for _ in trainer.columns:
        pass
    return {
        "characters": corpus.num_characters,
        "vocabulary": identity.tokenizer.vocabulary_size,
        "seconds": seconds,
    }


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=int, default=1_000, metavar="N", help="default 1000")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where to put the texts")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
