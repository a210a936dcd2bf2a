"""activations.json: what the step graph calls the gates that it computes on the way.

A file of its own beside the graph, so that the manifest stays as it is: servers from before it know
nothing of it but its checksum, and models from before it are served without it (decision 027). What
is remembered, the state tensors, needs no table: those names are part of the step contract.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import onnx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.artifacts.errors import ManifestError
from service.artifacts.store import Artifact

ACTIVATIONS_FILE = "activations.json"

_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]


class ActivationTable(BaseModel):
    """The whole of activations.json.

    Attributes:
        gates: By the names of the paper, `layer<n>.<gate>`: float32[B, width] values of the graph.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    gates: dict[_Name, str]


def activations_of(artifact: Artifact, graph: onnx.ModelProto) -> Mapping[str, str]:
    """All activations of a model that have names, and what its graph calls them.

    The gates, if the artefact names them and the file is as it was published, and the state.

    Raises:
        ManifestError: The file was published with names that the graph does not have.
        IntegrityError, Unreadable: It is not as it was published.
    """
    state = {tensor.name: f"next_state.{tensor.name}" for tensor in artifact.manifest.state}
    if ACTIVATIONS_FILE not in artifact.manifest.files:
        return state
    path = artifact.folder / ACTIVATIONS_FILE
    try:
        table = ActivationTable.model_validate_json(artifact.read(ACTIVATIONS_FILE))
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise ManifestError(path, f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}") from error
    made = {output for node in graph.graph.node for output in node.output}
    for name, value in table.gates.items():
        if value not in made or name in state:
            raise ManifestError(path, f"gates: {name!r} is no gate: the graph makes no {value!r}")
    return {**table.gates, **state}
