"""Where a text may lie: in a file or a folder, and not behind an address or in a pipe."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from training.config.paths import for_shell, path_of, path_text

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(?=[^/])")
"""One slash is enough: `Path` makes one of two."""
_OPEN_FILE = re.compile(r"/dev/(stdin|fd/\d+)|/proc/(self|thread-self|\d+)/(task/\d+/)?fd/.+")


def is_open_file(path: str) -> bool:
    """Whether it names what the process was started with, such as standard input."""
    return path == "-" or _OPEN_FILE.fullmatch(path) is not None


def address_in(path: str) -> str | None:
    """What is wrong with a path that is an address; None: it is none."""
    found = _ADDRESS.match(path)
    if found is None:
        return None
    scheme, rest = found[1].lower(), path[found.end() :]
    address = f"{scheme}://{rest}"
    if scheme == "file":
        return f"{path} is an address: give the path itself, {'/' + rest}"
    name = re.sub(r"[?#].*", "", PurePosixPath(rest).name) if "/" in rest else ""
    file = for_shell(name or "text.txt")
    if scheme in ("http", "https", "ftp", "ftps"):
        fetch = f"curl -L -o {file} {for_shell(address)}"
        return f"{address} is an address, not a file: fetch it first by\n  {fetch}\nand give {file}"
    return f"{address} is an address, not a file: fetch it first by a program that knows {scheme}"


def require_place(path: str) -> None:
    """For what stands in a config.

    Raises:
        ValueError: it is an address, or of the one process that reads it.
    """
    if (complaint := address_in(path)) is not None and path_text(path_of(path)) != path:
        raise ValueError(complaint)
    if is_open_file(path):
        raise ValueError(
            f"{path!r} is a pipe, which a config cannot name: give --text - to the run"
        )
