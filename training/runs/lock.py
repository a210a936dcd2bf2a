"""One process at a time trains in a folder.

The lock is the system's (`flock`) on `<folder>/training.lock`: it is free when its process is gone,
however that ended. Who only reads the run (evaluate, sample, publish) does not ask for it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from training.errors import CheckpointError

LOCK_FILE = "training.lock"


@contextlib.contextmanager
def only_one(folder: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """Hold the folder; it is made if it is not there, and is gone again if nothing came of it.

    Args:
        folder: Of a run or a sweep.
        tell: Is told if the file system has no locks; the training goes on.

    Raises:
        CheckpointError: another process trains in it; or it cannot be made or written.
    """
    made = _make(folder)
    path = folder / LOCK_FILE
    descriptor = _taken(path, tell)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()  # before it is let go: whoever opened this very file sees that
        os.close(descriptor)
        for empty in made:
            with contextlib.suppress(OSError):
                empty.rmdir()


def _make(folder: Path) -> list[Path]:
    """Make a folder; returns what was made, the innermost first."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(f"cannot make {folder}: {error.strerror}") from error
    return missing


def _taken(path: Path, tell: Callable[[str], None]) -> int:
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise CheckpointError(
                f"cannot write {path}: {error.strerror}; make {path.parent} writable, "
                "or choose another folder by --run-dir"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = _holder(descriptor)
            os.close(descriptor)
            raise CheckpointError(
                f"{path.parent} is in use: {holder}; wait for it to end or stop it, "
                "or choose another folder"
            ) from error
        except OSError as error:  # network file systems without a lock service, say
            tell(
                f"note: {path.parent} cannot be locked ({error.strerror}): "
                "see to it that no other training uses it"
            )
            return descriptor
        if _is_still_there(descriptor, path):
            _sign(descriptor)
            return descriptor
        os.close(descriptor)  # the one before us has just taken its file away: once more


def _is_still_there(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def _sign(descriptor: int) -> None:
    note = {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now().astimezone().isoformat(sep=" ", timespec="seconds"),
    }
    with contextlib.suppress(OSError):  # on a full disk the lock holds without a name
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(note).encode(), 0)


def _holder(descriptor: int) -> str:
    try:
        note = json.loads(os.pread(descriptor, 4_096, 0))
        return f"process {note['process']} on {note['host']} trains there since {note['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process trains there, which has not said its name yet"
