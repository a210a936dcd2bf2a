"""Standard input and output as they are found: full, closed, or with a reader who has left.

Whoever started a server need not listen to it: what cannot be said is no reason to fail.
"""

from __future__ import annotations

import io
import os
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TextIO


class CannotSay(OSError):
    """Standard output takes no more: the message says why."""


def open_missing() -> None:
    """Put the null device in the place of closed descriptors 0, 1 and 2.

    The next socket or file would get such a number, and whatever a library prints would go there.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the system gives the lowest number that is free
    sys.stdout = sys.stdout or _null()
    sys.stderr = sys.stderr or _null()


def say(text: str) -> bool:
    """Write to standard output, now; returns whether anybody may still read it.

    Raises:
        CannotSay: It is full. A reader who has left is not an error: they have what they wanted.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
        return True
    except BrokenPipeError:
        _give_up(sys.stdout)
        return False
    except OSError as error:
        _give_up(sys.stdout)
        raise CannotSay(f"cannot write to standard output: {error.strerror}") from error


def say_exactly(text: str) -> bool:
    r"""Write a model's text: its bytes into a file or pipe, escaped on a terminal; else as `say`.

    A control character in it could command the terminal: it is shown as `\x1b`.
    """
    if sys.stdout.isatty():
        return say(visible(text))
    # Whatever the locale says, and however its lines end.
    sys.stdout.reconfigure(encoding="utf-8", newline="")  # type: ignore[union-attr]
    return say(text)


def visible(text: str) -> str:
    r"""A text in which control characters, which command a terminal, are written as `\x1b`."""
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    if character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cs"):
        return character
    return character.encode("unicode_escape").decode("ascii")


@contextmanager
def collected() -> Iterator[None]:
    """Keep what libraries print to standard output, and say it in the end.

    Raises:
        CannotSay: Standard output is full.
    """
    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            yield
    finally:
        if printed.getvalue():
            say(printed.getvalue())


def complain(text: str) -> None:
    """Write one line to standard error, if anybody can read it."""
    try:
        sys.stderr.write(f"lstm-serve: {' '.join(text.split())}\n")
        sys.stderr.flush()
    except OSError:
        _give_up(sys.stderr)


def _null() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")


def _give_up(stream: TextIO) -> None:
    """Send what is still in the buffer, and what is to come, to the null device."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)
