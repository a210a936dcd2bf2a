"""Where the command `lstm-train` begins: it says so if what trains is not installed.

The server's installation has this command too, but no torch.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from service import __version__

_PATIENCE_S = 4.0
"""From a cold disk, or on a busy machine, the libraries take longer to be loaded."""


def main() -> int | str:
    """Entry point of the console script; returns the exit status, or what is missing for it."""
    if sys.argv[1:] == ["--version"]:  # also of an installation that cannot train
        sys.stdout.write(f"lstm-train {__version__}\n")
        return 0
    try:
        from training.terminal import keep_descriptors

        keep_descriptors()  # before anything else opens a file
        with _said_while_it_loads():
            from training import cli
    except ModuleNotFoundError as error:
        return (
            f"lstm-train: {error.name} is not installed, which training needs and serving does not:"
            " `make training` in the source tree, else `pip install 'lstm-serve[training]'`"
        )
    except (ImportError, OSError) as error:  # a library of another machine, or half of one
        return (
            f"lstm-train: what training needs cannot be loaded ({error}): install it anew, by"
            " `make training` in the source tree, else `pip install 'lstm-serve[training]'`"
        )
    return cli.main()


@contextmanager
def _said_while_it_loads() -> Iterator[None]:
    """Beside the output, which may be for a file."""
    is_loaded = threading.Event()

    def say() -> None:
        while not is_loaded.wait(_PATIENCE_S):
            if sys.stderr is not None:
                sys.stderr.write("lstm-train: loading the libraries\n")

    threading.Thread(target=say, daemon=True).start()
    try:
        yield
    finally:
        is_loaded.set()


if __name__ == "__main__":
    sys.exit(main())
