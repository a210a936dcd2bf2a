"""Does memory grow with the corpus?

    python -m benchmarks.large_corpus [--megabytes N] [--folder DIR]

Makes a text of that many megabytes (1,000 by default; a quarter of it Chinese characters) and
trains a small model for 50 steps on its first 3 MB and on all of it, each in a process of its own.
What is shown is the peak of the process's resident memory, pages of mapped files included.
"""

from __future__ import annotations

import argparse
import json
import resource
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
    print(f"\n{'text':>12}{'characters':>16}{'vocabulary':>12}{'ids made':>11}{'peak memory':>13}")
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        for num_bytes in (_SMALL_BYTES, options.megabytes * 1_000_000):
            text = Path(name) / "text.txt"
            write_text(text, num_bytes)
            command = [sys.executable, "-m", "benchmarks.large_corpus", "--measure", str(text)]
            found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
            print(
                f"{num_bytes / 1e6:>9,.0f} MB{found['characters']:>16,}{found['vocabulary']:>12,}"
                f"{found['seconds']:>9,.0f} s{found['peak_bytes'] / 2**20:>9,.0f} MiB"
            )


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
    """In this process: from a file to the 50th step of training."""
    # Only here: who writes the texts and waits needs no torch.
    from training.config import CorpusConfig, ModelConfig, OptimisationConfig, TrainConfig
    from training.corpora.load import load_corpus
    from training.run_folder import RunFolder, new_identity
    from training.trainer import Trainer

    config = TrainConfig(
        name="large",
        corpus=CorpusConfig(path=str(text)),
        model=ModelConfig(hidden_size=64, embedding_size=32),
        training=OptimisationConfig(epochs=1, batch_size=8, window=64),
    )
    started_s = time.monotonic()
    corpus = load_corpus(config.corpus, text.parent)
    identity = new_identity(config, corpus)
    tokens = RunFolder(text.parent).tokens(identity, corpus)
    trainer = Trainer(identity, tokens)
    seconds = time.monotonic() - started_s
    for step in range(_STEPS):
        trainer.step(step)
    return {
        "characters": corpus.num_characters,
        "vocabulary": identity.tokenizer.vocabulary_size,
        "seconds": seconds,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
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
