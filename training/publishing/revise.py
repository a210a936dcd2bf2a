"""A published model once more, as its next version: the same weights, with what has come since.

What may differ is the table of gates, which versions from before decision 027 lack, and the default
temperature. The graph and the tokenizer are the same files, so the fingerprint is the same too:
rows, sessions and capsules of the one go on in the other.
"""

from __future__ import annotations

import json
from typing import Any

import onnx

from service.artifacts.errors import ArtifactError
from service.artifacts.graph import check_step_graph
from service.artifacts.manifest import MANIFEST_FILE, Manifest
from service.artifacts.store import Artifact, ModelStore
from training.config.files import checked
from training.config.model import ModelConfig
from training.errors import PublishError
from training.export.activations import check_told
from training.export.alike import values_alike
from training.export.quantisation import quantise
from training.export.step_graph import able_to_write, export_step
from training.models.build import build_model
from training.models.step import ShownStep
from training.publishing.model_card import card_of_version
from training.publishing.publish import choose_version, entries_of, write_gates

_README = "README.md"


def revise(store: ModelStore, artifact: Artifact, temperature: float | None) -> Artifact:
    """Publish the next version.

    Args:
        store: Where to.
        artifact: What is published already.
        temperature: The new default; None keeps the one there is.

    Raises:
        PublishError: It is not whole, or cannot be written.
        ExportError: Its graph is not the one that this program would write.
        ParityError: The gates are not told as they are.
    """
    if artifact.remarks:
        raise PublishError(f"{artifact.folder}: {'; '.join(artifact.remarks)}")
    try:
        content = artifact.read(artifact.manifest.model_file)
        graph = check_step_graph(artifact.folder, content, artifact.manifest)
        gates = gates_of(graph, artifact.manifest)
        check_told(graph, gates, artifact.manifest.provenance.seed)
        version = choose_version(store, artifact.manifest.name, None)
        with store.publishing(artifact.manifest.name, version) as folder:
            for file in artifact.manifest.files:
                (folder / file).write_bytes(artifact.read(file))
            write_gates(folder, gates)
            if _README in artifact.manifest.files:
                card = artifact.read(_README).decode("utf-8")
                card = card_of_version(card, artifact.manifest, version)
                (folder / _README).write_text(card, encoding="utf-8")
            fields = _fields(artifact, version, temperature)
            fields["files"] = {
                name: entry.model_dump() for name, entry in entries_of(folder).items()
            }
            written = json.dumps(fields, indent=2, ensure_ascii=False)
            (folder / MANIFEST_FILE).write_text(written + "\n", encoding="utf-8")
        return store.verify(artifact.manifest.name, version)
    except ArtifactError as error:
        raise PublishError(str(error)) from error


def gates_of(graph: onnx.ModelProto, manifest: Manifest) -> dict[str, str]:
    """What a published graph calls its gates: found by how each of them is computed.

    Raises:
        ConfigError: The manifest does not say of what the graph was made.
        ExportError: It is not the graph that this program would write of that.
    """
    where = f"{manifest.ref}, provenance.config.model"
    config = checked(ModelConfig, manifest.provenance.config.get("model"), where)
    model = build_model(config, manifest.vocabulary_size)
    blank = export_step(able_to_write(model), {})
    if manifest.precision == "int8":
        blank = quantise(blank)
    return values_alike(ShownStep(able_to_write(model)).gate_names, blank.graph, graph.graph)


def _fields(artifact: Artifact, version: int, temperature: float | None) -> dict[str, Any]:
    """The manifest as it was written: no field is added that an older server would not know."""
    content = (artifact.folder / MANIFEST_FILE).read_text(encoding="utf-8")
    fields: dict[str, Any] = json.loads(content)
    fields["version"] = version
    if temperature is not None:
        fields.setdefault("defaults", {})["temperature"] = temperature
        # Also for who trains it again.
        publish = fields["provenance"]["config"].setdefault("publish", {})
        publish["default_temperature"] = temperature
    return fields
