"""Where the command `lstm-serve` begins: it can be ended from the first moment on.

What the command line imports takes a second or more, and loading models takes longer.
"""

from __future__ import annotations

from service.signals import end_at_once


def main() -> int:
    """Entry point of the console script; returns the exit status."""
    end_at_once()
    from service import cli

    return cli.main()
