r"""Paths as text: names of files are bytes, configs and checkpoints are Unicode.

A name that is not UTF-8 (`caf\xe9.txt`, as Latin-1 writes it) cannot stand in TOML or JSON as it
is. There it is a `file://` address, whose `%E9` is any byte; for people it is shown with escapes.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote_to_bytes

_SCHEME = "file://"


def path_text(path: Path) -> str:
    """How a path stands in a config: as it is, or as a `file://` address if that is no Unicode."""
    text = str(path)
    return text if text == shown(path) else path.absolute().as_uri()


def path_of(text: str) -> Path:
    """Inverse of `path_text`."""
    if not text.startswith(_SCHEME):
        return Path(text)
    return Path(os.fsdecode(unquote_to_bytes(text.removeprefix(_SCHEME))))


def shown(path: Path | str) -> str:
    r"""For people: bytes that are not UTF-8 are written as `\xe9`."""
    return os.fsencode(path).decode("utf-8", errors="backslashreplace")


def for_shell(word: str) -> str:
    r"""Quoted for a shell; bytes that are not UTF-8 as bash and zsh read them: `$'caf\xe9.txt'`."""
    if shown(word) == word:
        return shlex.quote(word)
    signs = (chr(byte) if _is_plain(byte) else f"\\x{byte:02x}" for byte in os.fsencode(word))
    return f"$'{''.join(signs)}'"


def command(words: Iterable[str]) -> str:
    """A command as it can be pasted."""
    return " ".join(map(for_shell, words))


def _is_plain(byte: int) -> bool:
    return 0x20 <= byte < 0x7F and byte not in b"'\\"
