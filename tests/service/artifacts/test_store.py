import errno
import hashlib
import json
import os
from pathlib import Path

import pytest

from service.artifacts.errors import ArtifactError, IntegrityError, ManifestError, VersionExists
from service.artifacts.manifest import Manifest
from service.artifacts.store import ModelStore, read_manifest, sha256_of
from tests import tiny_model


@pytest.fixture
def folder(tmp_path):
    """A published model."""
    return tiny_model.publish(tmp_path)


def _edit(folder, **changes):
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), "utf-8")


def test_a_whole_version_is_verified(folder, tmp_path):
    """And its files can be read."""
    artifact = ModelStore(tmp_path).verify("tiny", 1)

    assert ("tiny@1", folder) == (artifact.ref, artifact.folder)
    assert tiny_model.step_graph() == artifact.read("model.onnx")
    assert hashlib.sha256(tiny_model.step_graph()).hexdigest() == sha256_of(folder / "model.onnx")


def _cut(folder):
    path = folder / "model.onnx"
    path.write_bytes(path.read_bytes()[:-1])


def _flip(folder):
    path = folder / "model.onnx"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)


def _link(folder):
    path = folder / "model.onnx"
    path.rename(folder.parent / "elsewhere")
    path.symlink_to(folder.parent / "elsewhere")


def _link_folder(folder):
    away = folder.parent.parent / "away"
    folder.rename(away)
    folder.symlink_to(away)


def _folder_in_place(folder):
    (folder / "model.onnx").unlink()
    (folder / "model.onnx").mkdir()


def _pipe_in_place(folder):
    (folder / "model.onnx").unlink()
    os.mkfifo(folder / "model.onnx")


@pytest.mark.parametrize(
    ("harm", "file", "reason"),
    [
        (lambda f: (f / "model.onnx").unlink(), "model.onnx", "is missing"),
        (lambda f: (f / "tokenizer.json").unlink(), "tokenizer.json", "is missing"),
        (_cut, "model.onnx", "bytes, the manifest says"),
        (_flip, "model.onnx", "sha256"),
        (_link, "model.onnx", "is a symbolic link"),
        (_link_folder, "", "is a symbolic link"),
        (lambda f: (f / "model.onnx").write_bytes(b""), "model.onnx", "has 0 bytes"),
        (_folder_in_place, "model.onnx", "is not a plain file"),
        (_pipe_in_place, "model.onnx", "is not a plain file"),
    ],
)
def test_a_file_that_is_not_what_the_manifest_says_is_named(folder, tmp_path, harm, file, reason):
    """The error names the file and the reason."""
    harm(folder)

    with pytest.raises(IntegrityError, match=reason) as caught:
        ModelStore(tmp_path).verify("tiny", 1)

    assert (folder / file) == caught.value.path
    assert str(folder / file) in str(caught.value)


def _relink(folder):
    path = folder / "manifest.json"
    path.rename(folder.parent / "elsewhere")
    path.symlink_to(folder.parent / "elsewhere")


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda f: (f / "manifest.json").unlink(), "is missing"),
        (_relink, "is a symbolic link"),
        (lambda f: (f / "manifest.json").write_bytes(b"{"), "the file: Invalid JSON"),
        (lambda f: (f / "manifest.json").write_bytes(b"[]"), "the file: Input"),
        (lambda f: (f / "manifest.json").write_bytes(b"\xff\xfe"), "the file: Inv"),
        (lambda f: (f / "manifest.json").write_bytes(b" " * (1 << 20) + b" "), "larger than"),
        (lambda f: _edit(f, surprise=1), "surprise: Extra"),
        (lambda f: _edit(f, name="other"), "says it is other@1 but lies in tiny/1"),
        (lambda f: _edit(f, version=2), "says it is tiny@2 but lies in tiny/1"),
        (lambda f: _edit(f, version="1"), "version: Input should be a valid integer"),
        (lambda f: _edit(f, schema_version=2), "schema_version: "),
    ],
)
def test_a_manifest_that_is_wrong_is_named(folder, tmp_path, harm, reason):
    """The error names the manifest, the field and the reason."""
    harm(folder)

    with pytest.raises(ManifestError, match=reason) as caught:
        ModelStore(tmp_path).verify("tiny", 1)

    assert folder / "manifest.json" == caught.value.path


@pytest.mark.parametrize(
    "file", ["../model.onnx", "/etc/passwd", "a/b", "..", ".", "", "a\\b", ".hidden", "a\n"]
)
def test_a_path_that_leaves_the_folder_is_refused(folder, file):
    """No name of a file is anything but a plain name."""
    files = {file: {"sha256": "0" * 64, "num_bytes": 1}}
    _edit(folder, files=json.loads((folder / "manifest.json").read_text())["files"] | files)

    with pytest.raises(ManifestError, match=r"files: .*not a plain name"):
        read_manifest(folder)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"special_ids": {"start": 0, "end": 10_000}}, "special id end=10000"),
        ({"special_ids": {"start": tiny_model.VOCABULARY_SIZE}}, "special id start"),
        ({"special_ids": {"start": -1}}, "special_ids.start"),
        ({"special_ids": {"start": 0, "padding": 1}}, "special_ids.padding"),
        ({"model_file": "other.onnx"}, "model_file 'other.onnx' has no entry"),
        ({"tokenizer_file": "other.json"}, "tokenizer_file 'other.json' has no entry"),
        ({"state": []}, "state: "),
        ({"state": [{"name": "h", "width": 1}] * 2}, "the same name"),
        ({"state": [{"name": "h/../x", "width": 1}]}, "state.0.name"),
        ({"state": [{"name": "h", "width": 0}]}, "state.0.width"),
        ({"vocabulary_size": 1}, "vocabulary_size"),
        ({"vocabulary_size": 65.0}, "vocabulary_size"),
        ({"vocabulary_size": True}, "vocabulary_size"),
        ({"precision": "float16"}, "precision"),
        ({"name": "../tiny"}, "name"),
        ({"name": "Tiny"}, "name"),
        ({"defaults": {"temperature": -1}}, "defaults.temperature"),
        ({"defaults": {"top_p": 0}}, "defaults.top_p"),
    ],
)
def test_the_schema_is_closed_and_strict(folder, changes, reason):
    """No value is coerced, none out of range is taken, no unknown field is ignored."""
    _edit(folder, **changes)

    with pytest.raises(ManifestError) as caught:
        read_manifest(folder)

    assert reason in caught.value.reason


def test_the_manifest_does_not_list_itself(folder):
    """It could not hold its own checksum."""
    files = json.loads((folder / "manifest.json").read_text())["files"]
    _edit(folder, files=files | {"manifest.json": {"sha256": "0" * 64, "num_bytes": 1}})

    with pytest.raises(ManifestError, match="cannot list the manifest"):
        read_manifest(folder)


def test_a_manifest_survives_its_own_json(folder):
    """Written and read, it is the same; its state width adds up."""
    manifest = read_manifest(folder)

    assert manifest == Manifest.model_validate_json(manifest.model_dump_json(), strict=True)
    assert 2 * tiny_model.WIDTH == manifest.state_width


def test_a_store_lists_published_versions_only(tmp_path):
    """By number, not by text; drafts, files and odd names are none."""
    for version in (2, 10):
        tiny_model.publish(tmp_path, version=version)
    tiny_model.publish(tmp_path, "other")
    for odd in ("tiny/.draft-x", "tiny/latest", "tiny/03", "Upper/1", "empty", ".git/1"):
        (tmp_path / odd).mkdir(parents=True)
    (tmp_path / "tiny" / "7").write_text("not a folder")
    store = ModelStore(tmp_path)

    assert (["other", "tiny"], [2, 10]) == (store.names(), store.versions("tiny"))
    assert ([], []) == (store.versions("absent"), store.versions("../tiny"))
    assert [] == ModelStore(tmp_path / "absent").names()


def test_a_draft_is_invisible_until_it_is_whole(tmp_path):
    """A version appears when the block ends, readable by everybody."""
    store = ModelStore(tmp_path)
    with store.publishing("tiny", 1) as draft:
        (draft / "model.onnx").write_bytes(b"1")
        assert ([], []) == (store.names(), store.versions("tiny"))

    assert [1] == store.versions("tiny")
    assert 0o755 == store.folder("tiny", 1).stat().st_mode & 0o777
    assert 0o644 == (store.folder("tiny", 1) / "model.onnx").stat().st_mode & 0o777
    assert ["1"] == [path.name for path in (tmp_path / "tiny").iterdir()]


def test_publishing_that_fails_leaves_nothing(tmp_path):
    """Not even a draft."""
    with (  # noqa: PT012
        pytest.raises(RuntimeError, match="out of luck"),
        ModelStore(tmp_path).publishing("tiny", 1) as draft,
    ):
        (draft / "model.onnx").write_bytes(b"1")
        raise RuntimeError("out of luck")

    assert [] == list((tmp_path / "tiny").iterdir())


def test_a_version_is_never_overwritten(folder, tmp_path):
    """Nor when somebody else was faster; the first one stays as it is."""
    store = ModelStore(tmp_path)
    with pytest.raises(VersionExists, match="published already"), store.publishing("tiny", 1):
        pytest.fail("the block must not run")

    with pytest.raises(VersionExists, match="meanwhile"), store.publishing("tiny", 2) as draft:  # noqa: PT012
        (draft / "model.onnx").write_bytes(b"mine")
        (tmp_path / "tiny" / "2").mkdir()
        (tmp_path / "tiny" / "2" / "model.onnx").write_bytes(b"theirs")

    assert b"theirs" == (tmp_path / "tiny" / "2" / "model.onnx").read_bytes()
    assert ["1", "2"] == sorted(path.name for path in (tmp_path / "tiny").iterdir())
    assert "tiny@1" == store.verify("tiny", 1).ref


def test_all_errors_are_artifact_errors():
    """Whoever loads a store catches one type."""
    assert issubclass(ManifestError, ArtifactError)
    assert issubclass(VersionExists, ArtifactError)


def test_a_rename_that_fails_says_why(tmp_path, monkeypatch):
    """A full disk is not somebody else who was faster."""

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(OSError, match="No space left"), ModelStore(tmp_path).publishing("tiny", 1):
        pass
