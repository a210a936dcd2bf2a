import pytest

from service.app import engine_limits
from service.artifacts.store import ModelStore
from service.models.errors import CannotServe
from service.models.loader import EngineSizes, load_models
from service.settings import Settings
from tests import tiny_model


@pytest.fixture
def store(tmp_path):
    """One model in two versions, and another one."""
    for name, version in (("tiny", 1), ("tiny", 2), ("other", 1)):
        tiny_model.publish(tmp_path, name, version=version)
    return ModelStore(tmp_path)


def _load(store, *names, default=None):
    limits = engine_limits(Settings())
    return load_models(store, names, default, EngineSizes(2, 1, 1, 0, limits))


def test_of_every_model_the_newest_version_is_served(store):
    """Unless names say which."""
    assert ["other@1", "tiny@2"] == [model.ref for model in _load(store)]
    assert ["tiny@1"] == [model.ref for model in _load(store, "tiny@1")]


def test_a_model_that_is_named_twice_is_loaded_once(store, monkeypatch):
    """By its name, and by its newest version."""
    verify, loaded = ModelStore.verify, []

    def counted(self, name, version):
        loaded.append((name, version))
        return verify(self, name, version)

    monkeypatch.setattr(ModelStore, "verify", counted)
    _load(store, "tiny", "tiny@2", "other", "tiny")

    assert [("tiny", 2), ("other", 1)] == loaded


@pytest.mark.parametrize("default", [None, ""])
def test_without_a_default_the_first_name_answers(store, default):
    """An empty variable is one that is not set."""
    assert "tiny@2" == _load(store, "tiny", "other", default=default).default.ref


@pytest.mark.parametrize("name", ["absent", "tiny@", "tiny@x", "tiny@01"])
def test_a_name_that_is_wrong_is_told_before_anything_is_loaded(store, name, monkeypatch):
    """Also behind names that are right."""
    monkeypatch.setattr(ModelStore, "verify", lambda *_: pytest.fail("loaded"))
    with pytest.raises(CannotServe, match=name):
        _load(store, "tiny", name)
