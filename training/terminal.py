"""What a person reads, on a stream that never ends a training.

A pipe that is closed, a disk that is full, a terminal that is gone: the first failure of a stream
is kept in `fault`, and from then on it is silent. What its encoding does not have is replaced.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import sys
import unicodedata
from collections.abc import Callable
from typing import TextIO, cast

from rich.console import Console

_BYTE_OF_A_NAME = re.compile("[\\udc80-\\udcff]")
"""Python's signs for those bytes of a file's name that are not UTF-8; no text that was read has
them."""
_KEPT = "\n\t"
_SHORT = {"\r": r"\r", "\f": r"\f", "\v": r"\v", "\a": r"\a", "\b": r"\b"}


class EnduringStream(io.TextIOBase):
    """A text stream whose failures are kept instead of raised.

    Args:
        stream: Where to; None (as Python has it where the descriptor is closed) is nowhere.
        tell: Is told the first failure, but not that a reader of a pipe has left: it wanted so.
    """

    def __init__(self, stream: TextIO | None, tell: Callable[[str], None] | None = None) -> None:
        self._stream = stream
        self._tell = tell
        self.fault: Exception | None = None

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Of the stream below; rich draws its boxes by it."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    @property
    def is_incomplete(self) -> bool:
        """Whether something that somebody may still wait for was lost."""
        return self.fault is not None and not isinstance(self.fault, BrokenPipeError)

    def writable(self) -> bool:
        """It always takes what it is given."""
        return True

    def isatty(self) -> bool:
        """Whether a person looks at it, as far as it can be told."""
        with contextlib.suppress(OSError, ValueError):
            return self._stream is not None and self.fault is None and self._stream.isatty()
        return False

    def fileno(self) -> int:
        """Of the stream below.

        Raises:
            OSError: It has none.
        """
        if self._stream is None:
            raise io.UnsupportedOperation("fileno")
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Write, or keep why not."""
        if self._stream is not None and self.fault is None:
            named = _BYTE_OF_A_NAME.sub(lambda found: f"\\x{ord(found[0]) & 0xFF:02x}", text)
            encodable = named.encode(self.encoding, "replace").decode(self.encoding, "replace")
            try:
                self._stream.write(encodable)
            except (OSError, ValueError) as error:
                self._give_up(error)
        return len(text)

    def flush(self) -> None:
        """Flush, or keep why not."""
        if self._stream is not None and self.fault is None:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self._give_up(error)

    def close(self) -> None:
        """Nothing: the stream below belongs to others, and may be closed when this one goes."""

    def _give_up(self, error: Exception) -> None:
        self.fault = error
        # What is still buffered would be tried again when Python ends, and fail with status 120.
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
        if self._tell is not None and self.is_incomplete:
            self._tell(str(getattr(error, "strerror", None) or error))


def error_console() -> Console:
    """For complaints: standard error as it is now."""
    return Console(file=cast("TextIO", EnduringStream(sys.stderr)), soft_wrap=True)


def output_console(*, quiet: bool = False) -> Console:
    """For everything else: standard output as it is now."""

    def tell(why: str) -> None:
        error_console().print(
            f"lstm-train: standard output cannot be written ({why}): goes on without it",
            markup=False,
            highlight=False,
        )

    return Console(file=cast("TextIO", EnduringStream(sys.stdout, tell)), quiet=quiet)


def output_is_incomplete(console: Console) -> bool:
    """Whether output was lost that somebody may wait for."""
    stream: object = console.file
    console.file.flush()
    return isinstance(stream, EnduringStream) and stream.is_incomplete


def write_exactly(console: Console, text: str) -> None:
    """A text as it is into a file or pipe, with one line feed after it; escaped on a terminal."""
    if console.quiet:
        return
    written = visible(text) if console.is_terminal else text
    console.file.write(written + "\n")
    console.file.flush()


def visible(text: str) -> str:
    r"""A text in which control characters, which command a terminal, are written as `\x1b`."""
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    if character in _KEPT or unicodedata.category(character) not in ("Cc", "Cs"):
        return character
    code = ord(character)
    return _SHORT.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def keep_descriptors() -> None:
    """Open those of 0, 1 and 2 that are closed: else the next file would be one of them."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError as error:
            if error.errno == errno.EBADF:
                os.open(os.devnull, os.O_RDWR)  # the lowest free one
