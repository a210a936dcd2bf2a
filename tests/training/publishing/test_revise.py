"""A published version once more: the same weights, with names of gates and another default."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from service.artifacts.activations import ACTIVATIONS_FILE, activations_of
from service.artifacts.graph import check_step_graph
from service.artifacts.store import ModelStore
from tests.training.publishing.test_publish import publish_tiny
from tests.training.tiny import TinyRun
from training.errors import PublishError
from training.publishing.candidate import Candidate
from training.publishing.revise import revise


@pytest.fixture
def store(tiny_run: TinyRun, tiny_candidate: Candidate, tmp_path: Path) -> ModelStore:
    """One version, published as before there were names."""
    store = ModelStore(tmp_path)
    folder = publish_tiny(store, 1, tiny_run, tiny_candidate)
    path = folder / "manifest.json"
    fields = json.loads(path.read_text(encoding="utf-8"))
    del fields["files"][ACTIVATIONS_FILE]
    path.write_text(json.dumps(fields), encoding="utf-8")
    (folder / ACTIVATIONS_FILE).unlink()
    return store


def test_the_next_version_is_the_same_model(store: ModelStore) -> None:
    """Rows of the one go on in the other; figures stay, and the README says which version it is."""
    old = store.verify("tiny", 1)
    new = revise(store, old, 0.5)

    assert ("tiny@2", ()) == (new.ref, new.remarks)
    assert old.manifest.fingerprint == new.manifest.fingerprint
    assert old.manifest.evaluations == new.manifest.evaluations
    assert 0.5 == new.manifest.defaults.temperature
    publish = new.manifest.provenance.config["publish"]
    assert isinstance(publish, dict)
    assert 0.5 == publish["default_temperature"]
    graph = check_step_graph(new.folder, new.read("model.onnx"), new.manifest)
    assert {"layer0.i", "layer1.candidate", "layer1.c"} <= set(activations_of(new, graph))
    card = (new.folder / "README.md").read_text(encoding="utf-8")
    assert card.startswith("# tiny, version 2\n")
    assert "lstm-train run tiny/2/manifest.json" in card
    assert card.replace("version 2", "version 1").replace("tiny/2", "tiny/1") == (
        old.folder / "README.md"
    ).read_text(encoding="utf-8")


def test_the_default_stays_unless_another_is_asked_for(store: ModelStore) -> None:
    """And the version it is made of is as it was."""
    before = {path.name: path.read_bytes() for path in store.folder("tiny", 1).iterdir()}
    old = store.verify("tiny", 1)
    assert old.manifest.defaults == revise(store, old, None).manifest.defaults
    assert before == {path.name: path.read_bytes() for path in old.folder.iterdir()}


def test_a_version_that_was_changed_is_not_published_again(store: ModelStore) -> None:
    """With a README that is not its own."""
    (store.folder("tiny", 1) / "README.md").write_text("mine")
    with pytest.raises(PublishError, match=r"README.md changed"):
        revise(store, store.verify("tiny", 1), None)
    assert [1] == store.versions("tiny")
