"""The store and the run folder are tried before any work, not after all of it."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path

from service.artifacts.store import ModelStore
from training.disk import cannot_write, free_bytes, in_bytes
from training.errors import DiskError

_BYTES_OF_A_WEIGHT = 4
_CHECKPOINTS = 3
"""The last, the best, and the one that is being written."""
_MOMENTS = 2
"""Of the optimiser, for each weight."""


def try_store(store: ModelStore, name: str, num_parameters: int) -> None:
    """Make a folder where versions are published, write into it, and remove it again.

    Args:
        store: Where a version will be published.
        name: Of the model.
        num_parameters: How many weights it will have at least.

    Raises:
        DiskError: the store cannot be written, or has no room for the model.
    """
    place = store.root / name
    missing = [folder for folder in (place, *place.parents) if not folder.exists()]
    try:
        place.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=place))
        try:
            (draft / "trial").write_bytes(b"written")
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise DiskError(f"{cannot_write(error, place)} by --store. Nothing was trained") from error
    finally:
        for folder in missing:
            with contextlib.suppress(OSError):
                folder.rmdir()
    _require_room(store.root, num_parameters * _BYTES_OF_A_WEIGHT, "the model", "--store")


def require_room_to_train(run_dir: Path, num_parameters: int) -> None:
    """Refuse a run folder that has no room for the checkpoints.

    Raises:
        DiskError: it has not.
    """
    size = num_parameters * _BYTES_OF_A_WEIGHT * (1 + _MOMENTS)
    _require_room(run_dir, _CHECKPOINTS * size, "the run's checkpoints", "--run-dir")


def _require_room(folder: Path, needed: int, what: str, option: str) -> None:
    free = free_bytes(folder)
    if free is not None and free < needed:
        raise DiskError(
            f"{folder} has no room for {what}: at least {in_bytes(needed)} are needed, "
            f"{in_bytes(free)} are free: make room on that disk, or choose a place on another one "
            f"by {option}"
        )
