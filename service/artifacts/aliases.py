"""Names of one's own for versions: `aliases.json` in the store, `{"prod": "shakespeare@3"}`.

An alias is moved by replacing the file, so whoever reads it finds the old ones or the new ones.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from service.artifacts.errors import ArtifactError, IntegrityError
from service.artifacts.files import as_far_as_possible, read_small, reading
from service.artifacts.manifest import NAME_PATTERN
from service.artifacts.reference import Reference

ALIASES_FILE = "aliases.json"
_MAX_BYTES = 1 << 20


class AliasError(ArtifactError):
    """The aliases of the store cannot be read, or one of them is none."""


def read_aliases(root: Path) -> dict[str, Reference]:
    """The aliases of a store, in the order of their names; none without the file.

    Raises:
        AliasError: The file is damaged.
        Unreadable: The operating system refuses it.
    """
    path = root / ALIASES_FILE
    with reading(path):
        if not os.path.lexists(path):
            return {}
    try:
        given = json.loads(read_small(path, _MAX_BYTES))
    except IntegrityError as error:
        raise AliasError(path, error.reason) from error
    except (ValueError, RecursionError) as error:
        raise AliasError(path, f"is no JSON: {error}") from error
    if not isinstance(given, dict):
        raise AliasError(path, "is no object of names and versions")
    return {name: _reference(path, name, given[name]) for name in sorted(given)}


def set_alias(root: Path, name: str, target: Reference) -> Reference | None:
    """Let a name mean a version, at once or not at all; returns what it meant before.

    Raises:
        AliasError: It is no name, or the aliases that are there are damaged.
        OSError: It cannot be written.
    """
    _reference(root / ALIASES_FILE, name, str(target))
    with _alone(root):
        aliases = read_aliases(root)
        before = aliases.get(name)
        _write(root, {**aliases, name: target})
    return before


def remove_alias(root: Path, name: str) -> Reference | None:
    """Let a name mean nothing; returns what it meant before.

    Raises:
        AliasError: The aliases that are there are damaged.
        OSError: They cannot be written.
    """
    with _alone(root):
        aliases = read_aliases(root)
        before = aliases.pop(name, None)
        if before is not None:
            _write(root, aliases)
    return before


def _reference(path: Path, name: str, target: object) -> Reference:
    if not re.fullmatch(NAME_PATTERN, name):
        raise AliasError(path, f"{name!r} is no name: small letters, digits, `.`, `_` and `-`")
    try:
        reference = Reference.parse(target if isinstance(target, str) else "@")
    except ValueError as error:
        raise AliasError(path, f"{name}: {error}") from error
    if reference.version is None:
        raise AliasError(path, f"{name}: {target!r} names no version")
    return reference


@contextlib.contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Nobody else changes the aliases meanwhile."""
    descriptor = os.open(root, os.O_RDONLY)
    try:
        with as_far_as_possible():
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        with as_far_as_possible():
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(root: Path, aliases: Mapping[str, Reference]) -> None:
    content = json.dumps({name: str(aliases[name]) for name in sorted(aliases)}, indent=2) + "\n"
    descriptor, draft = tempfile.mkstemp(prefix=".aliases-", dir=root)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            with as_far_as_possible():
                os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        Path(draft).replace(root / ALIASES_FILE)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
