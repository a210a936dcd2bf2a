"""What does not matter for serving takes no model out."""

import os
from pathlib import Path

import pytest

from service.artifacts.errors import IntegrityError, ManifestError, Unreadable
from service.artifacts.store import ModelStore
from tests import tiny_model


@pytest.fixture
def folder(tmp_path):
    """A published model with a page and a picture."""
    documents = {"README.md": "A model.", "curves.png": "Curves."}
    return tiny_model.publish(tmp_path, documents=documents)


def _remarks(folder):
    return ModelStore(folder.parents[1]).verify("tiny", 1).remarks


def test_a_model_as_it_was_published_needs_no_remark(folder):
    """Not even one of nothing."""
    assert () == _remarks(folder)


@pytest.mark.parametrize(
    "name", [".DS_Store", "._README.md", ".model.onnx.swp", ".git", ".nfs0001", ".~lock.README.md#"]
)
@pytest.mark.parametrize("make", [Path.touch, Path.mkdir, lambda path: path.symlink_to("/nowhere")])
def test_hidden_files_are_ignored(folder, name, make):
    """Of whatever kind."""
    make(folder / name)

    assert () == _remarks(folder)


@pytest.mark.parametrize(
    "name", ["Thumbs.db", "desktop.ini", "README.md~", "#README.md#", "__pycache__", "model 2.onnx"]
)
@pytest.mark.parametrize("make", [Path.touch, Path.mkdir, lambda path: path.symlink_to("/nowhere")])
def test_other_files_are_named(folder, name, make):
    """They are not read, whatever they are."""
    make(folder / name)

    assert (f"{name} is not listed",) == _remarks(folder)


def test_remarks_are_bounded_and_printable(folder):
    """However many files there are, whatever they are called."""
    (folder / "\x1b[2J\n").touch()
    (folder / os.fsdecode(b"\xff")).touch()
    for n in range(1000):
        (folder / f"~{n}").touch()
    remarks = _remarks(folder)

    assert 6 == len(remarks)
    assert "997 more are not listed" == remarks[-1]
    assert "".join(remarks).isprintable()
    assert "".join(remarks).encode()


def _edit(path):
    path.write_bytes(path.read_bytes() + b"More.")


def _flip(path):
    path.write_bytes(b"!" * path.stat().st_size)


def _link(path):
    path.rename(path.parent.parent / "elsewhere")
    path.symlink_to(path.parent.parent / "elsewhere")


def _pipe(path):
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("file", ["README.md", "curves.png"])
@pytest.mark.parametrize(
    ("harm", "fault"),
    [
        (_edit, "changed"),
        (_flip, "changed"),
        (_link, "changed"),
        (_pipe, "changed"),
        (Path.unlink, "is missing"),
    ],
)
def test_a_document_that_is_not_as_it_was_published_is_named(folder, file, harm, fault):
    """An edited page does not change what the model writes."""
    harm(folder / file)

    assert (f"{file} {fault}",) == _remarks(folder)


def _refusing(monkeypatch, method, *names):
    """The operating system refuses a method of paths that are called so."""
    true = getattr(Path, method)

    def refuse(path, *arguments, **options):
        if path.name in names:
            raise PermissionError(13, "Permission denied", str(path))
        return true(path, *arguments, **options)

    monkeypatch.setattr(Path, method, refuse)


def test_a_document_that_cannot_be_read_is_named(folder, monkeypatch):
    """And the model is served."""
    _refusing(monkeypatch, "read_bytes", "README.md")

    assert ("README.md cannot be read",) == _remarks(folder)


def test_a_folder_that_cannot_be_listed_may_hold_a_whole_model(folder, monkeypatch):
    """Each of its files is found by its name."""
    _refusing(monkeypatch, "iterdir", "1")

    assert ("its files cannot be listed",) == _remarks(folder)


@pytest.mark.parametrize("file", ["manifest.json", "model.onnx", "tokenizer.json"])
@pytest.mark.parametrize("method", ["read_bytes", "stat", "is_file", "is_symlink"])
def test_a_file_that_cannot_be_read_is_named(folder, monkeypatch, file, method):
    """Whichever question the operating system refuses."""
    _refusing(monkeypatch, method, file)

    with pytest.raises(Unreadable, match="cannot be read: Permission denied") as caught:
        _remarks(folder)

    assert folder / file == caught.value.path


def test_folders_that_cannot_be_read_are_named(folder, tmp_path, monkeypatch):
    """A model that cannot be looked into is still a model; the store says what it is itself."""
    tiny_model.publish(tmp_path, "other")
    store = ModelStore(tmp_path)
    _refusing(monkeypatch, "iterdir", "tiny")

    assert ["other", "tiny"] == store.names()
    with pytest.raises(Unreadable, match="tiny: cannot be read: Permission denied"):
        store.versions("tiny")
    _refusing(monkeypatch, "is_dir", "1")
    assert [1] == store.versions("other")
    _refusing(monkeypatch, "iterdir", tmp_path.name)
    with pytest.raises(Unreadable, match="cannot be read"):
        store.names()


def test_a_reason_is_one_printable_line(folder):
    """Whatever stands in a file."""
    (folder / "manifest.json").write_text('{"\\n\\u001b[2J": ' + '"' + "x" * 1000 + '"}')

    with pytest.raises(ManifestError) as caught:
        _remarks(folder)

    assert str(caught.value).isprintable()
    assert len(caught.value.reason) <= 300


def test_a_message_can_leave_out_where_the_store_is(tmp_path):
    """Clients need not know."""
    fault = IntegrityError(tmp_path / "tiny" / "1", "is a symbolic link")

    assert "tiny/1: is a symbolic link" == fault.below(tmp_path)
    assert "1: is a symbolic link" == fault.below(tmp_path / "elsewhere")
