"""Whether there is memory for a model, before it is loaded."""

from __future__ import annotations

from service.artifacts.errors import ArtifactError
from service.models.checked import CheckedModel

_BYTES_PER_GRAPH_BYTE = 3
"""What a session takes for each byte of the graph's file, at least: each of its two loops has the
weights in its own order, and they are read from the built graph. Measured in int8: 5 to 6."""


class TooLarge(ArtifactError):
    """There is not enough memory for the model."""


def require_memory(model: CheckedModel, num_sessions: int, available: int | None) -> None:
    """Refuse a model for which there is certainly too little memory.

    Args:
        model: Not loaded yet.
        num_sessions: Of its engine; each has a copy of the weights.
        available: Bytes that the process can still have; None: nobody knows.

    Raises:
        TooLarge: It takes more than there is.
    """
    manifest = model.artifact.manifest
    graph = manifest.files[manifest.model_file].num_bytes
    needed = graph * _BYTES_PER_GRAPH_BYTE * num_sessions
    if available is not None and needed > available:
        raise TooLarge(
            model.artifact.folder,
            f"takes {_mb(needed)} of memory at least, and there are {_mb(available)}",
        )


def _mb(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:,.0f} MB"
