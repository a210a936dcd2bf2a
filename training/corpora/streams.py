"""Texts out of pipes: read once, into a file; everything else reads a text several times."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import select
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from training.config.places import is_open_file
from training.errors import CorpusError

_PATIENCE_S = 2.0
"""Nothing is said about a pipe that is silent for less."""
_REPORTED_EVERY_S = 5.0
_CHUNK_BYTES = 1 << 20

Say = Callable[[str], None]


def is_stream(path: Path) -> bool:
    """Whether a text can be read once only, or its name means another file in another process."""
    if is_open_file(str(path)):
        return True
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode)


def require_readable(path: Path) -> None:
    """Refuse what is neither a file nor a folder, before something waits for it.

    Raises:
        CorpusError: it is a pipe, a device or a socket.
    """
    try:
        mode = path.stat().st_mode
    except OSError:
        return  # who opens it says why it cannot be
    if stat.S_ISFIFO(mode):
        raise CorpusError(f"{path} is a pipe, which a config cannot name: give it by --text")
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise CorpusError(f"{path} is a device or a socket, not a text")


def called(stream: Path) -> str:
    """A pipe as it is called in messages: the numbers of open files say nothing to anybody."""
    name = str(stream)
    if name in ("-", "/dev/stdin") or name.endswith("/fd/0"):
        return "standard input"
    return "the pipe" if is_open_file(name) else f"the pipe {stream}"


def copy_stream(stream: Path, copy: Path, say: Say) -> str:
    """Read a pipe to its end, into a file that must not exist; returns the sha256 of its bytes.

    Raises:
        CorpusError: it cannot be read, or there is no room; nothing is left of the copy.
    """
    digest = hashlib.sha256()
    try:
        descriptor = _opened(stream)
        try:
            with copy.open("xb") as file:
                for chunk in _chunks(descriptor, called(stream), say):
                    digest.update(chunk)
                    file.write(chunk)
        finally:
            os.close(descriptor)
    except OSError as error:
        copy.unlink(missing_ok=True)
        raise CorpusError(
            f"cannot copy {called(stream)} into {copy}: {error.strerror or error}"
        ) from error
    except BaseException:
        copy.unlink(missing_ok=True)
        raise
    return digest.hexdigest()


def _opened(stream: Path) -> int:
    """A descriptor of one's own; opening a pipe that nobody writes does not wait."""
    number = 0 if called(stream) == "standard input" else _number_of(stream)
    try:
        if number is None:
            descriptor = os.open(stream, os.O_RDONLY | os.O_NONBLOCK)
        else:
            # Opened anew, a pipe would not know that its writers have gone already.
            descriptor = os.dup(number)
    except OSError as error:
        if error.errno not in (errno.EBADF, errno.ENOENT):
            raise
        raise CorpusError(f"{called(stream)} is not open: there is no text to read") from error
    mode = os.fstat(descriptor).st_mode
    is_text = stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)
    if is_text or os.fstat(descriptor).st_rdev == os.stat(os.devnull).st_rdev:
        return descriptor
    is_terminal = os.isatty(descriptor)
    os.close(descriptor)
    if is_terminal:
        raise CorpusError(
            f"{called(stream)} is the terminal: send a text into it, for example by\n"
            "  cat my.txt | lstm-train run --text - --name mine"
        )
    raise CorpusError(f"{called(stream)} is a device or a folder, not a text")


def _number_of(stream: Path) -> int | None:
    """Of one of this process's own open files."""
    own = re.fullmatch(rf"/(?:dev|proc/(?:self|{os.getpid()}))/fd/(\d+)", str(stream))
    return int(own[1]) if own else None


def _chunks(descriptor: int, name: str, say: Say) -> Iterator[bytes]:
    """All that comes; whoever waits is told what for, and how much there is so far."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    num_bytes = 0
    reported_s = time.monotonic()
    has_said_that_it_waits = False
    while True:
        is_there = bool(poll.poll(_PATIENCE_S * 1000))
        if not is_there and not has_said_that_it_waits:
            has_said_that_it_waits = True
            came = f"{num_bytes:,} bytes so far" if num_bytes else "nothing has come yet"
            say(f"waiting for the text from {name}: {came} (Ctrl-C ends)")
        # Of a pipe whose writers went before it was opened, no end is announced.
        if not is_there and (num_bytes == 0 or os.get_blocking(descriptor)):
            continue
        try:
            chunk = os.read(descriptor, _CHUNK_BYTES)
        except BlockingIOError:
            continue
        if not chunk:
            return
        num_bytes += len(chunk)
        if time.monotonic() - reported_s > _REPORTED_EVERY_S:
            reported_s = time.monotonic()
            say(f"reading {name}: {num_bytes / 1e6:,.0f} MB so far")
        yield chunk
