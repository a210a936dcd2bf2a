"""The inside of a served model, loaded when somebody asks for it: until then it takes nothing."""

from __future__ import annotations

import logging

from service.artifacts.activations import activations_of
from service.artifacts.errors import ArtifactError
from service.artifacts.graph import check_step_graph
from service.artifacts.store import Artifact
from service.models.checked import every_fault_an_artifact_error
from service.models.errors import ModelBroken
from service.runtime.inside.recorder import Recorder

_log = logging.getLogger(__name__)


class Inside:
    """What a model computes while it reads. Used by one thread at a time.

    Args:
        artifact: The version, as it was verified at the start; its files are read again.
    """

    def __init__(self, artifact: Artifact) -> None:
        self._artifact = artifact
        self._recorder: Recorder | None = None

    def recorder(self) -> Recorder:
        """Who tells of it.

        Raises:
            ModelBroken: The files are no longer what they were.
        """
        if self._recorder is None:
            try:
                self._recorder = _load(self._artifact)
            except ArtifactError as error:
                _log.error("%s cannot be looked into: %s", self._artifact.ref, error)
                reason = f"{error.path.name}: {error.reason}"
                raise ModelBroken(
                    f"{self._artifact.ref} cannot be looked into: {reason}"
                ) from error
        return self._recorder


def _load(artifact: Artifact) -> Recorder:
    manifest = artifact.manifest
    path = artifact.folder / manifest.model_file
    with every_fault_an_artifact_error(path):
        graph = check_step_graph(path, artifact.read(manifest.model_file), manifest)
        state_names = [tensor.name for tensor in manifest.state]
        return Recorder(graph, state_names, activations_of(artifact, graph))
