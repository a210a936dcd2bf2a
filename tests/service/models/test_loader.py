import pytest

from service.artifacts.errors import Unreadable
from service.artifacts.store import ModelStore
from service.limits import engine_limits
from service.models.errors import CannotServe, ModelBroken, ModelUnknown
from service.models.loader import load_models
from service.models.loading import EngineSizes
from service.settings import Settings
from tests import tiny_model
from tests.service.models.stores import DAMAGED


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
    assert "tiny@1" == _load(store, "tiny@1", "tiny@2", default=default).default.ref


@pytest.mark.parametrize("name", ["absent", "tiny@", "tiny@x", "tiny@01"])
def test_a_name_that_is_wrong_is_told_before_anything_is_loaded(store, name, monkeypatch):
    """Also behind names that are right."""
    monkeypatch.setattr(ModelStore, "verify", lambda *_: pytest.fail("loaded"))
    with pytest.raises(CannotServe, match=name):
        _load(store, "tiny", name)


@pytest.mark.parametrize("kind", [*DAMAGED])
def test_a_damaged_model_does_not_stop_the_others(store, kind):
    """It is refused with the reason, by each of its names, and is no unknown one."""
    DAMAGED[kind](store.root, "damaged", 1)
    registry = _load(store, default="tiny")

    assert ["other@1", "tiny@2"] == [model.ref for model in registry]
    assert ["damaged@1"] == [*registry.broken]
    for name in ("damaged", "damaged@1"):
        with pytest.raises(ModelBroken, match=f"'{name}' is damaged: damaged/1"):
            registry.resolve(name)
    with pytest.raises(ModelUnknown):
        registry.resolve("damaged@2")
    assert "tiny@2" == registry.resolve(None).ref


@pytest.mark.parametrize("kind", [*DAMAGED])
def test_the_newest_whole_version_serves_under_the_name(store, kind, caplog):
    """Never another model, and not silently; who asks for the damaged version is told."""
    for version in (3, 4):
        DAMAGED[kind](store.root, "tiny", version)
    registry = _load(store, "tiny", "other")

    assert ["tiny@2", "other@1"] == [model.ref for model in registry]
    assert "tiny@2" == registry.resolve("tiny").ref == registry.resolve(None).ref
    assert ["tiny@4", "tiny@3"] == [*registry.broken]
    assert "tiny@2 is served in place of tiny@4" in caplog.text
    with pytest.raises(ModelBroken, match="tiny/4"):
        registry.resolve("tiny@4")


@pytest.mark.parametrize("kind", [kind for kind in DAMAGED if kind.startswith("manifest")])
def test_an_old_version_that_is_damaged_is_named(store, kind):
    """It is not served, and would not be if it were whole."""
    folder = store.folder("tiny", 1)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    DAMAGED[kind](store.root, "tiny", 1)
    registry = _load(store, default="tiny")

    assert ["other@1", "tiny@2"] == [model.ref for model in registry]
    assert ["tiny@1"] == [*registry.broken]
    assert "tiny@2" == registry.default.ref


@pytest.mark.parametrize("name", ["tiny/9", "tiny/1", "stray/1"])
def test_a_stray_folder_is_named_and_changes_nothing(store, name):
    """Newer than what is whole, older, or of a model that is none."""
    default = _load(store).default.ref
    for path in (store.root / name).glob("*"):
        path.unlink()
    (store.root / name).mkdir(parents=True, exist_ok=True)
    registry = _load(store)

    assert ["other@1", "tiny@2"] == [model.ref for model in registry]
    reference = name.replace("/", "@")
    assert {reference: f"{name}/manifest.json: is missing"} == registry.broken
    assert default == registry.default.ref


@pytest.mark.parametrize(
    ("names", "default"),
    [
        ((), "tiny"),
        ((), "tiny@2"),
        (("tiny", "other"), None),
        (("tiny@2", "other"), None),
        (("other", "tiny@2"), "tiny"),
    ],
)
def test_a_default_that_is_damaged_is_no_other_model(store, names, default, caplog):
    """Whoever names none is refused with the reason; the others are served."""
    for version in (1, 2):
        (store.folder("tiny", version) / "model.onnx").write_bytes(b"broken")
    registry = _load(store, *names, default=default)

    assert ["other@1"] == [model.ref for model in registry]
    assert registry.default is None
    with pytest.raises(ModelBroken, match=r"no default: .*tiny/2/model.onnx: has 6 bytes"):
        registry.resolve(None)
    assert "requests that name no model get 503" in caplog.text


def test_the_first_published_is_no_other_one_when_it_is_damaged(tmp_path):
    """The oldest is damaged as a whole; a later model does not take its place."""
    first = tiny_model.publish(tmp_path, "first", created_at="2026-01-01T00:00:00Z")
    tiny_model.publish(tmp_path, "later", created_at="2026-01-02T00:00:00Z")
    (first / "tokenizer.json").unlink()
    registry = _load(ModelStore(tmp_path))

    assert registry.default is None
    with pytest.raises(ModelBroken, match=r"first/1/tokenizer.json: is missing"):
        registry.resolve(None)


def test_a_version_that_is_named_is_that_version(store):
    """A whole one of the same name does not take its place."""
    (store.folder("tiny", 2) / "model.onnx").unlink()
    registry = _load(store, "tiny@2", "other")

    assert ["other@1"] == [model.ref for model in registry]
    with pytest.raises(ModelBroken):
        registry.resolve("tiny")


def test_nothing_whole_is_nothing_to_serve(store):
    """With all reasons, and where the files are."""
    for name, version in (("tiny", 1), ("tiny", 2), ("other", 1)):
        (store.folder(name, version) / "model.onnx").unlink()

    with pytest.raises(CannotServe) as caught:
        _load(store)
    for name in ("tiny/1", "tiny/2", "other/1"):
        assert f"{store.root}/{name}/model.onnx: is missing" in str(caught.value)


@pytest.mark.parametrize("default", ["absent", "tiny@1", "tiny@9", "other@x"])
def test_a_default_that_is_not_to_be_served_stops_the_start(store, default):
    """A word that is misspelt, not a model that is damaged."""
    with pytest.raises(CannotServe, match="default_model"):
        _load(store, default=default)


def test_what_does_not_matter_is_told_and_served(store, caplog):
    """A file that an editor has left."""
    (store.folder("tiny", 2) / "README.md~").touch()
    registry = _load(store)

    assert {} == registry.broken
    assert "tiny@2 is served, but README.md~ is not listed" in caplog.text


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_a_signal_while_models_load_is_no_fault_of_theirs(store, stop, monkeypatch):
    """It ends the start."""

    def interrupted(*_):
        raise stop

    monkeypatch.setattr(ModelStore, "verify", interrupted)
    with pytest.raises(stop):
        _load(store)


@pytest.mark.parametrize("fault", [RuntimeError("odd\nlines"), MemoryError(), OSError(5, "I/O")])
def test_whatever_a_model_raises_is_its_own_fault(store, fault, monkeypatch):
    """One line of it; the others are served."""
    verify = ModelStore.verify

    def breaks(self, name, version):
        if name == "other":
            raise fault
        return verify(self, name, version)

    monkeypatch.setattr(ModelStore, "verify", breaks)
    registry = _load(store, default="tiny")

    assert ["tiny@2"] == [model.ref for model in registry]
    assert "\n" not in registry.broken["other@1"]


def test_a_folder_that_cannot_be_read_is_a_broken_model(store, monkeypatch):
    """By its name alone: nobody knows its versions."""
    versions = ModelStore.versions

    def refuse(self, name):
        if name == "other":
            raise Unreadable(self.root / name, PermissionError(13, "Permission denied"))
        return versions(self, name)

    monkeypatch.setattr(ModelStore, "versions", refuse)
    registry = _load(store, default="tiny")

    assert {"other": "other: cannot be read: Permission denied"} == registry.broken
    with pytest.raises(ModelBroken, match="Permission denied"):
        registry.resolve("other")
    assert "tiny@2" == _load(store, "other", "tiny", default="tiny").default.ref
