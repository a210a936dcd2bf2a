"""Taking a version out of a store: at once or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from service.artifacts.files import as_far_as_possible
from service.artifacts.reference import Reference
from service.artifacts.store import ModelStore


def remove_version(store: ModelStore, reference: Reference) -> None:
    """Take a version out of the store, and then its files off the disk.

    It is moved to a hidden place first, which is one step: whoever reads the store meanwhile finds
    it whole or not at all, and a server that has loaded it goes on.

    Raises:
        ValueError: The reference has no version.
        OSError: It is not there, or cannot be moved; then nothing has changed.
    """
    if reference.version is None:
        raise ValueError(f"{reference} is no version")
    folder = store.folder(reference.name, reference.version)
    bin_ = Path(tempfile.mkdtemp(prefix=".removed-", dir=folder.parent))
    try:
        folder.rename(bin_ / folder.name)
        _flush(folder.parent)
    finally:
        shutil.rmtree(bin_, ignore_errors=True)
    if not any(folder.parent.iterdir()):
        folder.parent.rmdir()


def _flush(folder: Path) -> None:
    with as_far_as_possible():
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
