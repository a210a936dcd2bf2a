"""What can be wrong with a model store.

ArtifactError
├── ManifestError        manifest.json is missing, is not JSON, or breaks its schema
├── IntegrityError       a file is missing, has another size or checksum, or leaves the folder
├── GraphError           model.onnx is not a self-contained step graph of the manifest's shape
├── TokenizerError       tokenizer.json cannot be read or disagrees with the manifest
└── VersionExists        somebody tried to publish over a published version
"""

from __future__ import annotations

from pathlib import Path


class ArtifactError(Exception):
    """A model in the store cannot be used; the message names the file and the reason."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class ManifestError(ArtifactError):
    """manifest.json is missing, is not JSON, or breaks its schema."""


class IntegrityError(ArtifactError):
    """A file of the artefact is missing, changed, or outside of its folder."""


class GraphError(ArtifactError):
    """model.onnx is not a self-contained step graph of the shape that the manifest states."""


class TokenizerError(ArtifactError):
    """tokenizer.json cannot be read, or disagrees with the manifest."""


class VersionExists(ArtifactError):
    """The version to be published is already in the store; versions are written once."""
