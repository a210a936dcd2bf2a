"""What is said when the machine itself fails: memory exhausted, a disk full."""

from __future__ import annotations

import re
from pathlib import Path

from training.disk import cannot_write, in_bytes, is_full
from training.errors import TrainingError

_CURE = (
    "make training.batch_size, training.window or the sizes of the model (model.hidden_size, "
    "model.num_layers, the vocabulary) smaller, or end other programs"
)


def explained(error: BaseException) -> str | None:
    """What is printed of an error that a person can do something about; None of all others."""
    if isinstance(error, TrainingError):
        return str(error)
    memory = _exhausted(error)
    if memory is not None:
        return f"{memory}; {_CURE}"
    if isinstance(error, OSError):
        if is_full(error) and error.filename is not None:
            return cannot_write(error, Path(str(error.filename)))
        if is_full(error):
            return f"{error}: make room on the disk, or choose a place on another one"
        return str(error)
    return None


def _exhausted(error: BaseException) -> str | None:
    """What needed how much, if memory is what failed: Python's, numpy's or torch's."""
    text = str(error)
    if isinstance(error, RuntimeError):  # torch has no class for it
        found = re.search(r"(?:can't|not enough memory: you tried to) allocate", text)
        if found is None:
            return None
        size = re.search(r"allocate (\d+) bytes", text)
        needed = f": a tensor of {in_bytes(int(size[1]))} does not fit" if size else ""
        return f"the memory is exhausted{needed}"
    if isinstance(error, MemoryError):
        return f"the memory is exhausted{': ' if text else ''}{text.rstrip('.')}"
    return None
