"""What can be wrong with a model store.

ArtifactError
├── ManifestError        manifest.json is missing, is not JSON, or breaks its schema
├── IntegrityError       a file is missing, has another size or checksum, or leaves the folder
├── Unreadable           the operating system does not let a file or a folder be read
├── GraphError           model.onnx is not a self-contained step graph of the manifest's shape
├── TokenizerError       tokenizer.json cannot be read or disagrees with the manifest
├── NotRunnable          a model that is whole cannot be loaded or run here
└── VersionExists        somebody tried to publish over a published version
"""

from __future__ import annotations

from pathlib import Path

_MAX_REASON_CHARACTERS = 300


class ArtifactError(Exception):
    """A model in the store cannot be used; the message names the file and the reason.

    Attributes:
        path: The file or folder at fault.
        reason: What is wrong with it: one line of bounded length, whatever a library said.
    """

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = printable(" ".join(reason.split()))
        if len(self.reason) > _MAX_REASON_CHARACTERS:
            self.reason = self.reason[: _MAX_REASON_CHARACTERS - 1] + "…"
        super().__init__(f"{path}: {self.reason}")

    def below(self, root: Path) -> str:
        """The message for those who need not know where the store is."""
        path = self.path.relative_to(root) if self.path.is_relative_to(root) else self.path.name
        return f"{path}: {self.reason}"


class ManifestError(ArtifactError):
    """manifest.json is missing, is not JSON, or breaks its schema."""


class IntegrityError(ArtifactError):
    """A file of the artefact is missing, changed, or outside of its folder."""


class Unreadable(ArtifactError):
    """The operating system does not let a file or a folder be read."""

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(path, f"cannot be read: {error.strerror or type(error).__name__}")


class GraphError(ArtifactError):
    """model.onnx is not a self-contained step graph of the shape that the manifest states."""


class TokenizerError(ArtifactError):
    """tokenizer.json cannot be read, or disagrees with the manifest."""


class NotRunnable(ArtifactError):
    """A model that is whole cannot be loaded or run here."""

    def __init__(self, path: Path, error: BaseException) -> None:
        super().__init__(path, f"cannot be run: {error or type(error).__name__}")


class VersionExists(ArtifactError):
    """The version to be published is already in the store; versions are written once."""


def printable(text: str) -> str:
    """`text` without signs that would move a terminal's cursor or break a line."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
