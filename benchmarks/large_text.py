"""What does somebody see who gives a large text to `lstm-train run`?

    python -m benchmarks.large_text [--megabytes N] [--folder DIR] [--kind characters|words|bpe|dna]

Makes a text of that many megabytes (1,000 by default) and gives it to `lstm-train run` (for other
kinds than characters to `lstm-train train`, with a config; words and bpe have a text of words): a
process of its own, with a pipe for its output. Stops it by SIGINT once it has said how long it will
take: after its 20th step. Shown are its memory over time (`RssAnon`: pages of the mapped tokens are
the system's, which takes them back when it likes), the seconds until the first step, and the
longest silence on the way there. (Linux only.)
"""

from __future__ import annotations

import argparse
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.large_corpus import write_text
from benchmarks.machine import describe_machine, headline

_LOOK_INTERVAL_S = 0.05
_MIB = 1 << 20
_DNA_CHARACTERS = 1_000_000
_WORDS_AT_ONCE = 1_200_000
_KNOWN_WORDS = 1 << 16
_ZIPF = 1.4
_LETTERS = ("e", "ta", "o", "ni", "s", "ha", "ro", "l", "du", "cim", "we", "y", "fag", "ü", "кот")
_TOKENIZERS = {"words": "word", "bpe": "bpe", "dna": "bpe"}


@dataclass
class Seen:
    """What was seen of a process.

    Attributes:
        lines: What it printed, each with the seconds since its start.
        anonymous: Seconds since its start, and bytes.
        first_step_s: When the first step was over; None: it ended before.
    """

    lines: list[tuple[float, str]] = field(default_factory=list)
    anonymous: list[tuple[float, int]] = field(default_factory=list)
    first_step_s: float | None = None

    @property
    def longest_silence_s(self) -> float:
        """Before the first step."""
        end = self.first_step_s or self.anonymous[-1][0]
        times = [0.0, *(at for at, _ in self.lines if at < end), end]
        return max(later - before for before, later in pairwise(times))


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the text, watch, print."""
    options = _options(arguments)
    print(headline(describe_machine()))
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        text = folder / "text.txt"
        num_bytes = options.megabytes * 1_000_000
        writers = {"characters": write_text, "dna": write_dna}
        writers.get(options.kind, write_words)(text, num_bytes)
        seen = watch(_command(text, options.kind), folder / "run" / "metrics.jsonl")
    print(f"\n{options.megabytes:,} MB, {options.kind}:")
    for at_s, line in seen.lines:
        print(f"{at_s:>7.1f} s  {line}")
    print("\nmemory of its own, in each tenth of the time:")
    for part in np.array_split(np.array(seen.anonymous), 10):
        if len(part):
            print(f"{part[-1, 0]:>7.1f} s {part[:, 1].max() / _MIB:>7,.0f} MiB at the most")
    if seen.first_step_s is None:
        raise SystemExit("it ended before its first step")
    print(
        f"\nfirst step after {seen.first_step_s:.0f} s, longest silence before it "
        f"{seen.longest_silence_s:.1f} s, at the most "
        f"{max(size for _, size in seen.anonymous) / _MIB:,.0f} MiB"
    )


def watch(command: Sequence[str], metrics: Path) -> Seen:
    """Run a training until it has said how long it will take; it is stopped then."""
    seen = Seen()
    started_s = time.monotonic()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        reads = threading.Thread(target=_read, args=(process, seen, started_s))
        reads.start()
        status = Path(f"/proc/{process.pid}/status")
        while process.poll() is None:
            found = re.search(r"RssAnon:\s*(\d+)", status.read_text(encoding="utf-8"))
            now_s = time.monotonic() - started_s
            seen.anonymous.append((now_s, int(found[1]) * 1024 if found else 0))
            if seen.first_step_s is None and metrics.exists() and metrics.stat().st_size:
                seen.first_step_s = now_s
            time.sleep(_LOOK_INTERVAL_S)
        reads.join()
    return seen


def write_dna(path: Path, num_bytes: int) -> None:
    """One line of four letters without order."""
    draws = np.random.default_rng(0)
    letters = np.frombuffer(b"ACGT", np.uint8)
    with path.open("wb") as file:
        for start in range(0, num_bytes, _DNA_CHARACTERS):
            size = min(_DNA_CHARACTERS, num_bytes - start)
            file.write(letters[draws.integers(0, len(letters), size)].tobytes())


def write_words(path: Path, num_bytes: int) -> None:
    """Lines of words, frequent and rare ones as languages have them: new ones come to the end."""
    draws = np.random.default_rng(0)
    known = [_spelled(rank) for rank in range(_KNOWN_WORDS)]
    with path.open("wb") as file:
        while file.tell() < num_bytes:
            ranks = draws.zipf(_ZIPF, _WORDS_AT_ONCE).tolist()
            words = [known[rank] if rank < _KNOWN_WORDS else _spelled(rank) for rank in ranks]
            lines = (" ".join(words[at : at + 12]) for at in range(0, len(words), 12))
            text = "".join(f"{line}.\n" for line in lines).encode()[: num_bytes - file.tell()]
            file.write(text.decode(errors="ignore").encode() or b"\n")


def _spelled(rank: int) -> str:
    """Short ones are frequent."""
    letters = ""
    while rank or not letters:
        rank, letter = divmod(rank, len(_LETTERS))
        letters += _LETTERS[letter]
    return letters


def _read(process: subprocess.Popen[str], seen: Seen, started_s: float) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        seen.lines.append((time.monotonic() - started_s, line.rstrip()))
        if "steps will take about" in line:
            process.send_signal(signal.SIGINT)


def _command(text: Path, kind: str) -> list[str]:
    folder = text.parent
    train = [sys.executable, "-m", "training.entry"]
    places = ["--run-dir", str(folder / "run")]
    if kind == "characters":
        return [*train, "run", str(text), *places, "--store", str(folder / "store")]
    config = folder / "large.toml"
    config.write_text(
        f'name = "large"\n[corpus]\npath = "text.txt"\n[tokenizer]\nkind = "{_TOKENIZERS[kind]}"\n'
        + ("max_size = 8192\n" if kind == "words" else "")
        + "[model]\nhidden_size = 64\nembedding_size = 32\n[training]\nepochs = 1\n",
        encoding="utf-8",
    )
    return [*train, "train", str(config), *places]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=int, default=1_000, metavar="N", help="default 1000")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where to put text and run")
    kinds = ("characters", *_TOKENIZERS)
    parser.add_argument("--kind", choices=kinds, default="characters", help="of tokens")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
