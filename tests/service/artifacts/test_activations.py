"""activations.json: names of gates, or none of it, or a fault with a name."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from service.artifacts.activations import ACTIVATIONS_FILE, activations_of
from service.artifacts.errors import IntegrityError, ManifestError
from service.artifacts.store import Artifact, ModelStore
from tests.tiny_model import publish

STATE = {"h": "next_state.h", "c": "next_state.c"}


def look(root: Path, table: str | None) -> tuple[Artifact, onnx.ModelProto]:
    """A model with such a table."""
    publish(root, documents=None if table is None else {ACTIVATIONS_FILE: table})
    artifact = ModelStore(root).verify("tiny", 1)
    return artifact, onnx.load_model_from_string(artifact.read("model.onnx"))


def test_a_model_from_before_has_its_state(tmp_path: Path):
    """Which needs no table."""
    assert STATE == activations_of(*look(tmp_path, None))


def test_gates_are_in_front(tmp_path: Path):
    """In the order of the table."""
    table = '{"schema_version": 1, "gates": {"i": "i_open", "f": "f_open"}}'
    found = activations_of(*look(tmp_path, table))

    assert ["i", "f", "h", "c"] == list(found)
    assert STATE | {"i": "i_open", "f": "f_open"} == found


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("{", "JSON"),
        ('{"schema_version": 2, "gates": {}}', "schema_version"),
        ('{"schema_version": 1, "gates": {"i": "nowhere"}}', "makes no 'nowhere'"),
        ('{"schema_version": 1, "gates": {"h": "i_open"}}', "'h' is no gate"),
        ('{"schema_version": 1, "gates": {"a b": "i_open"}}', "a b"),
    ],
)
def test_a_table_that_is_wrong_is_named(tmp_path: Path, table: str, reason: str):
    """The file, and what of it."""
    with pytest.raises(ManifestError, match=reason) as caught:
        activations_of(*look(tmp_path, table))
    assert ACTIVATIONS_FILE == caught.value.path.name


def test_a_table_that_was_changed_is_a_remark(tmp_path: Path):
    """The model is served; its inside cannot be told."""
    artifact, graph = look(tmp_path, '{"schema_version": 1, "gates": {}}')
    (artifact.folder / ACTIVATIONS_FILE).write_text('{"schema_version": 1, "gates": {"i": "f"}}')

    assert (f"{ACTIVATIONS_FILE} changed",) == ModelStore(tmp_path).verify("tiny", 1).remarks
    with pytest.raises(IntegrityError):
        activations_of(artifact, graph)
