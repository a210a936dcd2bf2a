"""The model store: find versions, verify one before it is used, publish one at once or not at all.

A version is written once. `verify` reads every byte of it: sizes and checksums of all files, no
link and no path that leads out of the folder. What is served must be whole; a document beside it
that somebody has edited, and files that the manifest does not list, are remarked upon.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from service.artifacts.errors import (
    IntegrityError,
    ManifestError,
    Unreadable,
    VersionExists,
    printable,
)
from service.artifacts.files import as_far_as_possible, read_small, reading, require_plain_file
from service.artifacts.manifest import MANIFEST_FILE, NAME_PATTERN, Manifest

_MAX_MANIFEST_BYTES = 1 << 20
_MAX_NAMED_FILES = 5


@dataclass(frozen=True)
class Artifact:
    """A verified version folder.

    Attributes:
        folder: Where it is.
        manifest: What it says of itself.
        remarks: What is not as it was published and does not matter for serving, for people, as
            `README.md changed`.
    """

    folder: Path
    manifest: Manifest
    remarks: tuple[str, ...] = ()

    @property
    def ref(self) -> str:
        """`name@version`."""
        return self.manifest.ref

    def read(self, file: str) -> bytes:
        """The bytes of one listed file, checked: what is used is what was verified.

        Raises:
            IntegrityError: It is missing, a link, or not what the manifest says.
            Unreadable: The operating system refuses it.
        """
        path = self.folder / file
        entry = self.manifest.files[file]
        with reading(path):
            require_plain_file(path)
            num_bytes = path.stat().st_size
            # Before it is read: what takes its place may be larger than the memory.
            content = path.read_bytes() if num_bytes == entry.num_bytes else b""
        if len(content) != entry.num_bytes:
            raise IntegrityError(
                path, f"has {num_bytes} bytes, the manifest says {entry.num_bytes}"
            )
        if hashlib.sha256(content).hexdigest() != entry.sha256:
            raise IntegrityError(path, "its sha256 is not the one in the manifest")
        return content


class ModelStore:
    """A folder of `<name>/<version>/` artefacts."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self) -> list[str]:
        """Model names that have at least one version folder, or whose folder cannot be read.

        Raises:
            Unreadable: The store itself cannot be read.
        """
        with reading(self.root):
            if not self.root.is_dir():
                return []
            found = sorted(entry.name for entry in self.root.iterdir())
        return [name for name in found if re.fullmatch(NAME_PATTERN, name) and self._holds(name)]

    def _holds(self, name: str) -> bool:
        try:
            return bool(self.versions(name))
        except Unreadable:
            return True

    def versions(self, name: str) -> list[int]:
        """Published versions of a model, ascending; half-written ones are not among them.

        Raises:
            Unreadable: The model's folder cannot be read.
        """
        folder = self.root / name
        if not re.fullmatch(NAME_PATTERN, name):
            return []
        with reading(folder):
            if not folder.is_dir():
                return []
            entries = list(folder.iterdir())
        return sorted(
            int(entry.name)
            for entry in entries
            if re.fullmatch(r"[1-9]\d{0,8}", entry.name) and _may_be_folder(entry)
        )

    def folder(self, name: str, version: int) -> Path:
        """Where a version is, or would be."""
        return self.root / name / str(version)

    def manifest(self, name: str, version: int) -> Manifest:
        """What a version says of itself.

        Raises:
            ManifestError: manifest.json is missing, breaks its schema, or is of another version.
            IntegrityError: The folder is a link.
            Unreadable: The operating system refuses it.
        """
        folder = self.folder(name, version)
        for path in (folder.parent, folder):
            with reading(path):
                if path.is_symlink():
                    raise IntegrityError(path, "is a symbolic link")
        manifest = read_manifest(folder)
        if (manifest.name, manifest.version) != (name, version):
            raise ManifestError(
                folder / MANIFEST_FILE,
                f"says it is {manifest.ref} but lies in {name}/{version}",
            )
        return manifest

    def verify(self, name: str, version: int) -> Artifact:
        """Check a version folder byte for byte.

        Only the model and its tokenizer must be whole; of all else that is not as it was published
        there is a remark.

        Raises:
            ManifestError: manifest.json is missing or breaks its schema.
            IntegrityError: The model or the tokenizer is missing, changed, a link, or elsewhere.
            Unreadable: The operating system refuses one of these.
        """
        manifest = self.manifest(name, version)
        artifact = Artifact(self.folder(name, version), manifest)
        served = (manifest.model_file, manifest.tokenizer_file)
        for file in served:
            artifact.read(file)
        remarks = [
            f"{file} {fault}"
            for file in manifest.files
            if file not in served and (fault := _fault(artifact, file))
        ]
        return replace(artifact, remarks=(*remarks, *_unlisted(artifact)))

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
            _permit(draft, 0o755)
            for path in draft.iterdir():
                _permit(path, 0o644)
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
        Unreadable: The operating system refuses it.
    """
    path = folder / MANIFEST_FILE
    try:
        return Manifest.model_validate_json(read_small(path, _MAX_MANIFEST_BYTES), strict=True)
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


def _may_be_folder(path: Path) -> bool:
    """Whether it is one; what cannot be told is found out when it is read."""
    try:
        return path.is_dir()
    except OSError:
        return True


def _fault(artifact: Artifact, file: str) -> str | None:
    """What is not as it was published of a file that is listed."""
    try:
        artifact.read(file)
    except Unreadable:
        return "cannot be read"
    except IntegrityError:
        return "changed" if os.path.lexists(artifact.folder / file) else "is missing"
    return None


def _unlisted(artifact: Artifact) -> list[str]:
    """Remarks on files that the manifest does not list; none on hidden ones."""
    listed = {MANIFEST_FILE, *artifact.manifest.files}
    try:
        found = sorted(path.name for path in artifact.folder.iterdir())
    except OSError:  # each file that matters could be read
        return ["its files cannot be listed"]
    others = [printable(name) for name in found if name not in listed and name[0] != "."]
    more = [f"{len(others) - _MAX_NAMED_FILES} more are not listed"]
    named = [f"{name} is not listed" for name in others[:_MAX_NAMED_FILES]]
    return named + (more if len(others) > _MAX_NAMED_FILES else [])


def _permit(path: Path, mode: int) -> None:
    with as_far_as_possible():
        path.chmod(mode)


def _flush(path: Path) -> None:
    with as_far_as_possible():
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
