"""The model store: find versions, verify one before it is used, publish one at once or not at all.

A version is written once. `verify` reads every byte of it: sizes and checksums of all files, no
file that the manifest does not list, no link and no path that leads out of the folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from service.artifacts.errors import IntegrityError, ManifestError, VersionExists
from service.artifacts.manifest import MANIFEST_FILE, NAME_PATTERN, Manifest

_MAX_MANIFEST_BYTES = 1 << 20


@dataclass(frozen=True)
class Artifact:
    """A verified version folder."""

    folder: Path
    manifest: Manifest

    @property
    def ref(self) -> str:
        """`name@version`."""
        return self.manifest.ref

    def read(self, file: str) -> bytes:
        """The bytes of one listed file, checked: what is used is what was verified.

        Raises:
            IntegrityError: It is missing, a link, or not what the manifest says.
        """
        path = self.folder / file
        entry = self.manifest.files[file]
        _require_plain_file(path)
        content = path.read_bytes()
        if len(content) != entry.num_bytes:
            raise IntegrityError(
                path, f"has {len(content)} bytes, the manifest says {entry.num_bytes}"
            )
        if hashlib.sha256(content).hexdigest() != entry.sha256:
            raise IntegrityError(path, "its sha256 is not the one in the manifest")
        return content


class ModelStore:
    """A folder of `<name>/<version>/` artefacts."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self) -> list[str]:
        """Model names that have at least one version folder."""
        if not self.root.is_dir():
            return []
        return sorted(
            entry.name
            for entry in self.root.iterdir()
            if re.fullmatch(NAME_PATTERN, entry.name) and self.versions(entry.name)
        )

    def versions(self, name: str) -> list[int]:
        """Published versions of a model, ascending; half-written ones are not among them."""
        folder = self.root / name
        if not re.fullmatch(NAME_PATTERN, name) or not folder.is_dir():
            return []
        return sorted(
            int(v.name)
            for v in folder.iterdir()
            if re.fullmatch(r"[1-9]\d{0,8}", v.name) and v.is_dir()
        )

    def folder(self, name: str, version: int) -> Path:
        """Where a version is, or would be."""
        return self.root / name / str(version)

    def verify(self, name: str, version: int) -> Artifact:
        """Check a version folder byte for byte.

        Raises:
            ManifestError: manifest.json is missing or breaks its schema.
            IntegrityError: A file is missing, changed, unlisted, a link, or elsewhere.
        """
        folder = self.folder(name, version)
        for path in (folder.parent, folder):
            if path.is_symlink():
                raise IntegrityError(path, "is a symbolic link")
        manifest = read_manifest(folder)
        if (manifest.name, manifest.version) != (name, version):
            raise ManifestError(
                folder / MANIFEST_FILE,
                f"says it is {manifest.ref} but lies in {name}/{version}",
            )
        artifact = Artifact(folder, manifest)
        for file in manifest.files:
            artifact.read(file)
        for path in sorted(folder.iterdir()):
            if path.name != MANIFEST_FILE and path.name not in manifest.files:
                raise IntegrityError(path, "is not listed in the manifest")
        return artifact

    @contextlib.contextmanager
    def publishing(self, name: str, version: int) -> Iterator[Path]:
        """A folder to write a new version into; it becomes visible, whole, when the block ends.

        Everything is flushed to disk before the final rename, so that a crash leaves the old store
        or the new one. If the block raises, nothing remains.

        Raises:
            VersionExists: This version is published already.
        """
        target = self.folder(name, version)
        if target.exists():
            raise VersionExists(target, "is published already; a version is never overwritten")
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=target.parent))
        try:
            yield draft
            draft.chmod(0o755)
            for path in draft.iterdir():
                path.chmod(0o644)
                _flush(path)
            _flush(draft)
            try:
                draft.rename(target)
            except OSError as error:  # rename cannot replace a folder that has files in it
                if not target.exists():  # a full disk, say
                    raise
                raise VersionExists(target, "was published by someone else meanwhile") from error
            _flush(target.parent)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def read_manifest(folder: Path) -> Manifest:
    """Parse a version folder's manifest.

    Raises:
        ManifestError: It is missing, too large, not JSON, or breaks the schema.
    """
    path = folder / MANIFEST_FILE
    try:
        _require_plain_file(path)
        if path.stat().st_size > _MAX_MANIFEST_BYTES:
            raise ManifestError(path, f"is larger than {_MAX_MANIFEST_BYTES} bytes")
        return Manifest.model_validate_json(path.read_bytes(), strict=True)
    except IntegrityError as error:
        raise ManifestError(path, error.reason) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ManifestError(path, f"{where}: {first['msg']}") from error


def sha256_of(path: Path) -> str:
    """Hex digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _require_plain_file(path: Path) -> None:
    if path.is_symlink():
        raise IntegrityError(path, "is a symbolic link")
    if not path.is_file():
        raise IntegrityError(path, "is missing")


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
