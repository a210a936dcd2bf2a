"""The table of `lstm-serve models` says what `lstm-serve serve` could serve."""

import pytest

from service.artifacts.errors import Unreadable
from service.artifacts.store import ModelStore
from service.models.listing import list_store
from tests import tiny_model
from tests.service.models.stores import DAMAGED


def _statuses(root):
    lines, is_whole = list_store(root)
    return {line[0]: line[-1] for line in lines[1:]}, is_whole


@pytest.mark.parametrize("kind", [*DAMAGED])
def test_each_kind_of_damage_is_one_line(tmp_path, kind):
    """Beside the good ones."""
    tiny_model.publish(tmp_path)
    DAMAGED[kind](tmp_path, "damaged", 1)
    statuses, is_whole = _statuses(tmp_path)

    assert not is_whole
    assert "ok" == statuses["tiny@1"]
    assert statuses["damaged@1"].startswith(f"broken: {tmp_path / 'damaged' / '1'}")
    assert statuses["damaged@1"].isprintable()


def test_what_does_not_matter_is_named(tmp_path):
    """And the store is whole."""
    folder = tiny_model.publish(tmp_path, documents={"README.md": "A model."})
    (folder / "README.md").write_text("My model.")
    (folder / "Thumbs.db").touch()
    (folder / ".DS_Store").touch()

    expected = {"tiny@1": "ok; README.md changed; Thumbs.db is not listed"}
    assert (expected, True) == _statuses(tmp_path)


def test_a_folder_that_cannot_be_read_is_one_line(tmp_path, monkeypatch):
    """By its name."""
    for name in ("tiny", "other"):
        tiny_model.publish(tmp_path, name)
    versions = ModelStore.versions

    def refuse(self, name):
        if name == "other":
            raise Unreadable(self.root / name, PermissionError(13, "Permission denied"))
        return versions(self, name)

    monkeypatch.setattr(ModelStore, "versions", refuse)
    statuses, is_whole = _statuses(tmp_path)

    assert ["other", "tiny@1"] == [*statuses]
    assert f"broken: {tmp_path}/other: cannot be read: Permission denied" == statuses["other"]
    assert not is_whole
