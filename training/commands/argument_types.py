"""What an option's text must be; argparse adds the option's name to the message."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

PICTURES = (".png", ".pdf")


def picture(text: str) -> Path:
    """A file that matplotlib can write."""
    path = Path(text)
    if path.suffix.lower() not in PICTURES:
        raise argparse.ArgumentTypeError(f"{text!r} does not end in {' or '.join(PICTURES)}")
    return path


def whole_number(text: str) -> int:
    """Any; the config says which of them it takes."""
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from error


def positive(text: str) -> int:
    """At least 1."""
    number = whole_number(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


def natural(text: str) -> int:
    """A seed, or a number of things that may be 0."""
    number = whole_number(text)
    if not 0 <= number < 2**63:
        raise argparse.ArgumentTypeError(f"{text} is not in 0..2^63-1")
    return number


def between(low: float, high: float) -> Callable[[str], float]:
    """A number from `low` to `high`."""

    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number") from error
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not in {low:g}..{high:g}")
        return value

    return number
