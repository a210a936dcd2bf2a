"""When a version was published, also if its manifest is damaged by now."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from service.artifacts.errors import ArtifactError
from service.artifacts.files import read_small
from service.artifacts.manifest import MANIFEST_FILE
from service.artifacts.store import read_manifest

_MAX_BYTES = 1 << 20
# What publishing writes: the manifest's field, and the last words of the model card's provenance.
_TRACES = {
    MANIFEST_FILE: re.compile(rb'"created_at"\s*:\s*"([^"\\]+)"'),
    "README.md": re.compile(rb"^- program: .*, (\S+)\s*$", re.MULTILINE),
}


def published_at(folder: Path) -> datetime | None:
    """When a version was published; None where nothing says so.

    By its manifest. One that is damaged may still hold the date, and so may the README beside it.
    """
    try:
        return _date(read_manifest(folder).provenance.created_at)
    except ArtifactError:
        pass
    for file, pattern in _TRACES.items():
        try:
            found = pattern.findall(read_small(folder / file, _MAX_BYTES))
        except ArtifactError:
            continue
        if found and (date := _date(found[-1].decode("ascii", "replace"))):
            return date
    return None


def may_be_a_version(folder: Path) -> bool:
    """Whether a folder that says no date may have been published: a graph lies in it.

    Versions appear whole; a folder without a graph is one that somebody has made, not `publishing`.
    """
    try:
        return any(path.suffix == ".onnx" for path in folder.iterdir())
    except OSError:
        return True


def _date(text: str) -> datetime | None:
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
