"""Where the command `lstm-train` begins: it says so if what trains is not installed.

The server's installation has this command too, but no torch.
"""

from __future__ import annotations


def main() -> int | str:
    """Entry point of the console script; returns the exit status, or what is missing for it."""
    try:
        from training import cli
    except ModuleNotFoundError as error:
        return (
            f"lstm-train: {error.name} is not installed, which training needs and serving does not:"
            " `make .venv/complete` in the source tree, else `pip install 'lstm-serve[training]'`"
        )
    return cli.main()
