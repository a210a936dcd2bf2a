"""Is there room, and may it be written: each folder is tried, and nothing is left in it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from service.artifacts.errors import ArtifactError
from service.artifacts.store import ModelStore
from training.config.paths import for_shell, shown
from training.corpora.named import NAMED_CORPORA
from training.doctor.finding import Finding, State

_LITTLE_ROOM = 1 << 30


@dataclass(frozen=True)
class Place:
    """A folder that a training writes into.

    Attributes:
        what: Lies there.
        path: Where it is, or will be made.
        option: That chooses another one.
        is_needed: Whether there is no training or publishing without it.
    """

    what: str
    path: Path
    option: str
    is_needed: bool


def writable(place: Place) -> Iterator[Finding]:
    """Write a little file where the folder is or would be made; nothing is left of it."""
    folder = existing_part(place.path)
    state = State.BROKEN if place.is_needed else State.NOTE
    name = for_shell(str(place.path))
    if not folder.is_dir():
        words = f"{shown(folder)} is no folder; take another one by {place.option}"
        yield Finding(place.what, state, words)
        return
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".lstm-train-doctor-") as file:
            file.write(b"\0" * (1 << 16))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        yield Finding(
            place.what,
            state,
            f"{name} cannot be written ({error.strerror}): "
            f"take another folder by {place.option}, or make room or change its rights",
        )
        return
    free = shutil.disk_usage(folder).free
    made = "" if place.path.exists() else ", will be made"
    words = f"{name}{made}: can be written, {free / 2**30:.1f} GiB free"
    if free < _LITTLE_ROOM:
        cure = f"little room: {place.option} takes another disk"
        yield Finding(place.what, State.NOTE, f"{words}; {cure}")
    else:
        yield Finding(place.what, State.OK, words)


def existing_part(path: Path) -> Path:
    """The folder itself, or the nearest above it that exists."""
    path = path.absolute()
    while not os.path.lexists(path) and path != path.parent:
        path = path.parent
    return path


def models_of(store: Path) -> Iterator[Finding]:
    """What is in the store already, and whether it is whole."""
    models = ModelStore(store)
    damaged: list[str] = []
    whole: list[str] = []
    try:
        names = models.names()
    except ArtifactError as error:
        yield Finding("models", State.BROKEN, f"{error}; take another folder by --store")
        return
    for name in names:
        try:
            for version in models.versions(name):
                whole.append(models.verify(name, version).ref)  # noqa: PERF401
        except ArtifactError as error:
            damaged.append(str(error))
    if damaged:
        words = f"{'; '.join(damaged)}: publish that model again, or move its folder away"
        yield Finding("models", State.NOTE, words)
    else:
        yield Finding("models", State.OK, ", ".join(whole) or "none yet")


def corpora_in(folder: Path) -> Iterator[Finding]:
    """Which texts that have names are there."""
    corpora = NAMED_CORPORA.values()
    # os.path: a folder that may not be looked into is one without texts.
    there = [corpus.name for corpus in corpora if os.path.exists(folder / corpus.file)]
    missing = sorted(set(NAMED_CORPORA) - set(there))
    words = f"there: {', '.join(sorted(there)) or 'none'}"
    if missing:
        words += f"; not there: {', '.join(missing)} (downloaded when a run needs one, or refused)"
    yield Finding("named texts", State.OK, words)
