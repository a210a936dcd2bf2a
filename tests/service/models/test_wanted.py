"""Which model answers requests that name none is never changed by damage."""

import pytest

from service.artifacts.errors import Unreadable
from service.artifacts.store import ModelStore
from service.models.errors import CannotServe, ModelBroken
from service.models.wanted import first_published, wanted_models
from tests.service.models.stores import DAMAGED, edit
from tests.tiny_model import publish

_UNDATED = ["manifest missing", "manifest emptied"]
_DATED = sorted({*DAMAGED} - {*_UNDATED})


@pytest.fixture
def store(tmp_path):
    """`zebra` is the first, also by version 1 alone; `ant` has been there before `zebra@2`."""
    publish(tmp_path, "zebra", 1, created_at="2026-01-01T00:00:00Z")
    publish(tmp_path, "ant", 1, created_at="2026-02-01T00:00:00Z")
    publish(tmp_path, "zebra", 2, created_at="2026-03-01T00:00:00Z")
    publish(tmp_path, "ant", 2, created_at="2026-04-01T00:00:00Z")
    return ModelStore(tmp_path)


def _damage(store, kind, name, version, created_at):
    folder = store.folder(name, version)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    DAMAGED[kind](store.root, name, version, created_at=created_at)


def test_the_first_is_the_one_with_the_oldest_version(store):
    """A later version does not make a model younger."""
    assert "zebra" == first_published(store)


@pytest.mark.parametrize("kind", _DATED)
@pytest.mark.parametrize("name", ["zebra", "ant"])
@pytest.mark.parametrize("versions", [(1,), (2,), (1, 2)])
def test_damage_does_not_change_it(store, kind, name, versions):
    """While a date is still there, whoever is damaged."""
    for version in versions:
        month = 2 * version - (name == "zebra")
        _damage(store, kind, name, version, f"2026-0{month}-01T00:00:00Z")

    assert "zebra" == first_published(store)


@pytest.mark.parametrize("kind", _UNDATED)
def test_damage_that_takes_a_date_changes_nothing_silently(store, kind):
    """The same one, or none: with the folder and the cure."""
    _damage(store, kind, "zebra", 2, "2026-03-01T00:00:00Z")
    assert "zebra" == first_published(store)

    _damage(store, kind, "zebra", 1, "2026-01-01T00:00:00Z")
    with pytest.raises(ModelBroken, match="zebra/1 was; the setting default_model"):
        first_published(store)


@pytest.mark.parametrize("kind", _UNDATED)
def test_an_old_version_of_another_model_may_have_been_the_first(store, kind):
    """Its date is lost: that of its next version does not say it."""
    _damage(store, kind, "ant", 1, "2025-01-01T00:00:00Z")

    with pytest.raises(ModelBroken, match="nothing says when ant/1 was"):
        first_published(store)


@pytest.mark.parametrize("kind", _UNDATED)
def test_a_later_version_is_not_the_first(store, kind):
    """Versions are published in order: that of before says that it is later."""
    for version in (2, 3):
        DAMAGED[kind](store.root, "ant", version + 1)

    assert "zebra" == first_published(store)


@pytest.mark.parametrize("kind", [*DAMAGED])
def test_one_name_is_the_first_whatever_is_damaged(tmp_path, kind):
    """There is no other."""
    DAMAGED[kind](tmp_path, "only", 1)

    assert "only" == first_published(ModelStore(tmp_path))


@pytest.mark.parametrize("name", ["ant/3", "zebra/3", "aardvark/1"])
@pytest.mark.parametrize("files", [(), (".DS_Store", "Thumbs.db"), ("manifest.json", "x.json")])
def test_a_stray_folder_changes_nothing(store, name, files):
    """It never was a version: no graph lies in it."""
    (store.root / name).mkdir(parents=True)
    for file in files:
        (store.root / name / file).touch()

    assert "zebra" == first_published(store)


def test_models_of_one_moment_are_told_apart_by_their_names(tmp_path):
    """Not by chance, anew at each start."""
    for name in ("c", "a", "d", "b"):
        publish(tmp_path, name)

    assert "d" == first_published(ModelStore(tmp_path))


def test_a_date_that_is_none_is_told(store):
    """In a manifest that is whole."""
    folder = publish(store.root, "bee", 1, created_at="in spring")

    with pytest.raises(ModelBroken, match="bee/1"):
        first_published(store)
    edit(folder, name="another")
    with pytest.raises(ModelBroken, match="bee/1"):
        first_published(store)


def test_a_folder_that_cannot_be_read_may_hold_the_first(store, monkeypatch):
    """Unless it is the first by what is known."""
    versions = ModelStore.versions

    def refuse(self, name):
        if name == "ant":
            raise Unreadable(self.root / name, PermissionError(13, "Permission denied"))
        return versions(self, name)

    monkeypatch.setattr(ModelStore, "versions", refuse)

    assert ["ant", "zebra"] == [wanted.name for wanted in wanted_models(store, (), {})]
    with pytest.raises(ModelBroken, match="nothing says when ant: cannot be read"):
        first_published(store)


def test_a_store_that_cannot_be_read_is_told(store, monkeypatch):
    """Before anything is loaded."""

    def refuse(self):
        raise Unreadable(self.root, PermissionError(13, "Permission denied"))

    monkeypatch.setattr(ModelStore, "names", refuse)

    with pytest.raises(CannotServe, match="Permission denied"):
        wanted_models(store, (), {})
