"""What was published beside a model: README, curves, samples. They are read when asked for."""

from __future__ import annotations

from pydantic import ValidationError

from service.artifacts.errors import ArtifactError
from service.artifacts.manifest import Manifest
from service.artifacts.store import Artifact, ModelStore
from service.artifacts.training_record import TRAINING_FILE, TrainingRecord

_MAX_BYTES = 8 << 20


class DocumentUnknown(Exception):
    """A version has no such document, or not as it was published; the message says which."""


def document_names(manifest: Manifest) -> list[str]:
    """All files of a version that are there to be read, not to be run."""
    return sorted({*manifest.files} - {manifest.model_file, manifest.tokenizer_file})


def read_document(store: ModelStore, manifest: Manifest, name: str) -> bytes:
    """The bytes of one of them, as they were published.

    Raises:
        DocumentUnknown: There is none of that name, or it is damaged or too large.
    """
    if name not in document_names(manifest):
        known = ", ".join(document_names(manifest)) or "none"
        raise DocumentUnknown(f"{manifest.ref} has no document {name!r}; there are: {known}")
    if manifest.files[name].num_bytes > _MAX_BYTES:
        raise DocumentUnknown(f"{name} is larger than {_MAX_BYTES} bytes")
    try:
        return Artifact(store.folder(manifest.name, manifest.version), manifest).read(name)
    except ArtifactError as error:
        raise DocumentUnknown(error.below(store.root)) from error


def read_training_record(store: ModelStore, manifest: Manifest) -> TrainingRecord | None:
    """Curves and samples of a version; None if it has none, or none that can be read."""
    try:
        return TrainingRecord.model_validate_json(read_document(store, manifest, TRAINING_FILE))
    except (DocumentUnknown, ValidationError):
        return None
