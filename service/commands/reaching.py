"""What commands that talk to a server have to know first: where it is, and the key for it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.commands.healthcheck import reachable
from service.settings import AddressSettings

CTRL_C = 130
"""Exit status of a command that was broken off."""


class Refused(Exception):
    """It cannot be done as it was asked for; the message says why."""


def url_of_settings() -> str:
    """Where the server on this machine listens, by its settings."""
    address = AddressSettings()
    return f"http://{reachable(address.host)}:{address.port}"


def key_in(file: Path | None) -> str | None:
    """The API key in that file, if there is one.

    Raises:
        Refused: It cannot be read.
    """
    if file is None:
        return None
    try:
        return file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"--api-key-file {file}: {error}") from error


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt, so that requests are closed; else it ends the process."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
