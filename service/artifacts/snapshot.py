"""What a store looks like from outside: whether anything in it has changed since."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from service.artifacts.aliases import ALIASES_FILE

Snapshot = frozenset[tuple[str, int, int, int]]
"""For each file its path, inode, size and time of change; for what cannot be read its error."""


def snapshot(root: Path) -> Snapshot:
    """The files of all versions, and the aliases; nothing is opened."""
    return frozenset(_files(root))


def _files(root: Path) -> Iterator[tuple[str, int, int, int]]:
    yield from _file(root / ALIASES_FILE)
    for model in _entries(root):
        for version in _entries(model):
            if version.name.isdigit():  # drafts are not versions yet
                yield (version.path, 0, 0, 0)
                for file in _entries(version):
                    yield from _file(file)


def _entries(folder: os.PathLike[str]) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []  # no folder, or gone meanwhile


def _file(path: Path | os.DirEntry[str]) -> Iterator[tuple[str, int, int, int]]:
    name = os.fspath(path)
    try:
        found = path.stat()
    except OSError as error:
        yield (name, 0, -1, error.errno or 0)
    else:
        yield (name, found.st_ino, found.st_size, found.st_mtime_ns)
