"""`lstm-train`: `commands/arguments.py` says what can be written, the rest of `commands/` does it.

Exit status: 0 done, 1 a `TrainingError` (its message is printed), 2 wrong command line, 130 stopped
by Ctrl-C.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

import torch
from rich.console import Console
from rich.text import Text

from training.commands import look, make, tune
from training.commands.arguments import argument_parser
from training.commands.status import FAILED, INTERRUPTED
from training.errors import TrainingError
from training.loop.memory import keep_freed_memory
from training.loop.workers import joined_workers


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the words of a command line say; returns the exit status."""
    options = argument_parser().parse_args(arguments)
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    keep_freed_memory()
    try:
        with joined_workers() as workers:
            options.workers = workers
            return _VERBS[options.command](options, Console(quiet=not workers.is_first))
    except (TrainingError, OSError) as error:
        Console(stderr=True).print(Text(f"lstm-train: {error}"), soft_wrap=True)
        return FAILED
    except KeyboardInterrupt:
        Console(stderr=True).print("lstm-train: stopped")
        return INTERRUPTED


_VERBS: dict[str, Callable[[argparse.Namespace, Console], int]] = {
    "run": make.run,
    "train": make.train,
    "export": make.export,
    "publish": make.publish,
    "evaluate": look.evaluate,
    "sample": look.sample,
    "compare": tune.compare,
    "find-lr": tune.find_lr,
    "sweep": tune.sweep,
    "gradients": tune.gradients,
}


if __name__ == "__main__":
    sys.exit(main())
