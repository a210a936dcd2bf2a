"""Published whole, or not at all, and never over something."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from service.artifacts.errors import VersionExists
from service.artifacts.store import ModelStore, sha256_of
from service.artifacts.tokenizer import Tokenizer
from service.artifacts.training_record import TrainingRecord
from service.runtime.sampling import Sampling
from tests.training.tiny import TinyRun
from training.errors import DiskError, PublishError
from training.publishing import publish as publishing
from training.publishing.candidate import Candidate
from training.publishing.publish import choose_version, publish
from training.runs.metrics import METRICS_FILE, read_history


def publish_tiny(store: ModelStore, version: int, run: TinyRun, candidate: Candidate) -> Path:
    """Publish, and return the folder."""
    history = read_history(run.folder.path / METRICS_FILE)
    temperatures = {1.0: "To be", 0.5: "``` or not"}
    samples = {Sampling(seed=1, temperature=t): text for t, text in temperatures.items()}
    return publish(store, version, run.checkpoint, candidate, history, samples).folder


def contents(folder: Path) -> dict[str, str]:
    """Relative path -> checksum of all files."""
    return {
        str(path.relative_to(folder)): sha256_of(path)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_published_version(tiny_run: TinyRun, tiny_candidate: Candidate, tmp_path: Path) -> None:
    """The service verifies it byte for byte, and it says where it comes from."""
    store = ModelStore(tmp_path)
    folder = publish_tiny(store, 1, tiny_run, tiny_candidate)
    documents = {"README.md", "curves.png", "training.json"}
    names = {"manifest.json", "model.onnx", "activations.json", "tokenizer.json"} | documents
    assert {path.name for path in folder.iterdir()} == names
    manifest = store.verify("tiny", 1).manifest
    assert manifest.precision == "int8"
    assert [tensor.name for tensor in manifest.state] == [
        "layer0.h",
        "layer0.c",
        "layer1.h",
        "layer1.c",
    ]
    tokenizer = tiny_run.checkpoint.identity.tokenizer
    path = folder / manifest.tokenizer_file
    served = Tokenizer(path, path.read_bytes(), manifest.vocabulary_size)
    assert served.encode("The lamp\n") == tokenizer.encode("The lamp\n").tolist()
    assert manifest.special_ids.unknown == tokenizer.special_ids.unknown
    assert manifest.special_ids.end is None
    assert served.decode([manifest.special_ids.start]) == "\n"
    assert manifest.provenance.corpus.sha256 == sha256_of(Path(str(tiny_run.config.corpus.path)))
    assert manifest.provenance.num_steps == tiny_run.checkpoint.position.step
    assert manifest.provenance.config["training"] == json.loads(
        tiny_run.config.training.model_dump_json(exclude_none=True)
    )


def test_readme(tiny_run: TinyRun, tiny_candidate: Candidate, tmp_path: Path) -> None:
    """Figures of both precisions, curves, samples that cannot break out, provenance."""
    folder = publish_tiny(ModelStore(tmp_path), 1, tiny_run, tiny_candidate)
    readme = (folder / "README.md").read_text(encoding="utf-8")
    for evaluation in tiny_candidate.evaluations:
        assert f"{evaluation.precision} | {evaluation.nats_per_token:.4f}" in readme
    assert "int8 against float32, one stateful pass: perplexity " in readme
    assert "![Loss curves](curves.png)" in readme
    assert "Temperature 0.5, seed 1:\n\n````text\n``` or not\n````" in readme
    assert tiny_run.corpus.sha256 in readme
    content = (folder / "training.json").read_bytes()
    record = TrainingRecord.model_validate_json(content, strict=True)
    assert ("``` or not", 1) in [(sample.text, sample.seed) for sample in record.samples]
    history = read_history(tiny_run.folder.path / METRICS_FILE)
    assert [each.validation_loss for each in history.evaluations] == [
        point.validation_loss for point in record.curves
    ]
    assert "lstm-train run tiny/1/manifest.json --text FILE" in readme


def test_no_path_of_this_machine_is_published(
    tiny_run: TinyRun, tiny_candidate: Candidate, tmp_path: Path
) -> None:
    """Where the text lay is nobody's business; its name is."""
    folder = publish_tiny(ModelStore(tmp_path), 1, tiny_run, tiny_candidate)
    home = str(Path(str(tiny_run.config.corpus.path)).parent).encode()
    code = str(Path(publishing.__file__).parent).encode()
    for path in folder.iterdir():
        content = path.read_bytes()
        assert home not in content, path.name
        assert code not in content, path.name
    assert b"sentences.txt" in (folder / "manifest.json").read_bytes()


def test_version_is_never_overwritten(
    tiny_run: TinyRun, tiny_candidate: Candidate, tmp_path: Path
) -> None:
    """Not a byte of it changes, and nothing is left beside it."""
    store = ModelStore(tmp_path)
    publish_tiny(store, 1, tiny_run, tiny_candidate)
    before = contents(tmp_path)
    with pytest.raises(PublishError, match="is published already; a version is never overwritten"):
        publish_tiny(store, 1, tiny_run, tiny_candidate)
    assert contents(tmp_path) == before
    with pytest.raises(PublishError, match=r"tiny/1 exists, .* the next free one is 2"):
        choose_version(store, "tiny", 1)
    assert choose_version(store, "tiny", None) == 2
    assert choose_version(store, "tiny", 7) == 7


@pytest.mark.parametrize("step", ["draw_curves", "model_card", "check_step_graph"])
def test_failing_in_the_middle_leaves_nothing(
    tiny_run: TinyRun,
    tiny_candidate: Candidate,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    """At the beginning, in the middle, at the end: no version, no draft."""

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(publishing, step, fail)
    store = ModelStore(tmp_path)
    with pytest.raises(DiskError, match="No space"):
        publish_tiny(store, 1, tiny_run, tiny_candidate)
    assert store.names() == []
    assert contents(tmp_path) == {}


def test_what_was_published_is_whole_to_the_last_document(
    tiny_run: TinyRun, tiny_candidate: Candidate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server would overlook a page that is not as it was written; publishing does not."""

    def spoil(path: Path, *_: object) -> None:
        (path.parent / "README.md").write_text("spoilt", encoding="utf-8")

    monkeypatch.setattr(publishing, "check_step_graph", spoil)
    with pytest.raises(PublishError, match=r"tiny/1: README.md changed"):
        publish_tiny(ModelStore(tmp_path), 1, tiny_run, tiny_candidate)


def test_a_folder_that_cannot_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the training: which version is free cannot be told."""

    def refuse(self: Path) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    (tmp_path / "tiny").mkdir()
    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(PublishError, match="tiny: cannot be read: Permission denied"):
        choose_version(ModelStore(tmp_path), "tiny", None)


def test_another_publisher_came_first(
    tiny_run: TinyRun, tiny_candidate: Candidate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between our check and our rename."""
    store = ModelStore(tmp_path)
    theirs = store.folder("tiny", 1)

    def meanwhile(*_: object) -> None:
        theirs.mkdir(parents=True)
        (theirs / "manifest.json").write_text("theirs", encoding="utf-8")

    monkeypatch.setattr(publishing, "check_step_graph", meanwhile)
    with pytest.raises(PublishError, match="by someone else meanwhile") as refusal:
        publish_tiny(store, 1, tiny_run, tiny_candidate)
    assert isinstance(refusal.value.__cause__, VersionExists)
    assert contents(theirs) == {"manifest.json": sha256_of(theirs / "manifest.json")}
