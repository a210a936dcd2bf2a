"""Commands that are printed to be pasted: what to do after an interruption or a failure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from training.config.paths import command


@dataclass(frozen=True)
class Told:
    """What a command was told that its run does not keep in its checkpoint.

    Epochs, seed, precision and everything of a config are in the checkpoint.

    Attributes:
        run_dir: Where the run lies.
        text: What `--text` was.
        data: What `--data` was.
        store: What `--store` was; None where nothing is published.
        version: What `--version` was.
        threads: What `--threads` was.
        tensorboard: Whether event files are written.
        num_processes: How many train together.
    """

    run_dir: Path
    text: Path | None = None
    data: Path | None = None
    store: Path | None = None
    version: int | None = None
    threads: int | None = None
    tensorboard: bool = False
    num_processes: int = 1

    def resume(self, verb: str) -> str:
        """The command that goes on with the run, quoted for a shell."""
        program = ["lstm-train"]
        if self.num_processes > 1:
            count = str(self.num_processes)
            program = ["torchrun", "--nproc-per-node", count, "-m", "training.cli"]
        flags = ["--tensorboard"] if self.tensorboard else []
        return command([*program, verb, "--resume", *self._options(), *flags])

    def publish(self) -> str:
        """The command that publishes what was trained, quoted for a shell."""
        return command(["lstm-train", "publish", *self._options()])

    def _options(self) -> list[str]:
        # A pipe can be read only once; what it gave is the run's.
        text = self.text if self.text is not None and _can_be_read_again(self.text) else None
        values = {
            "--run-dir": self.run_dir,
            "--text": text,
            "--data": self.data,
            "--store": self.store,
            "--version": self.version,
            "--threads": self.threads,
        }
        return [
            word
            for name, value in values.items()
            if value is not None
            for word in option_words(name, str(value))
        ]


def option_words(name: str, value: str) -> list[str]:
    """Of one option; a value that looks like an option is tied to its name."""
    return [f"{name}={value}"] if value.startswith("-") else [name, value]


def _can_be_read_again(path: Path) -> bool:
    return path.is_file() or path.is_dir()
