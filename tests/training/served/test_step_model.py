"""A published model is found among others, whatever these are like."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.artifacts.store import ModelStore
from tests.tiny_model import publish
from training.errors import PublishError
from training.served.step_model import find_published


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelStore:
    """`tiny`, with what an editor has left, beside `closed`, whose folder cannot be read."""
    (publish(tmp_path, version=2) / "README.md~").touch()
    publish(tmp_path, "closed")
    iterdir = Path.iterdir

    def refuse(path: Path) -> object:
        if path.name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    return ModelStore(tmp_path)


@pytest.mark.parametrize("ref", ["tiny", "tiny@2"])
def test_it_is_found(store: ModelStore, ref: str) -> None:
    """By its name, or by its version."""
    assert find_published(store, ref).ref == "tiny@2"


@pytest.mark.parametrize("ref", ["tiny@1", "tiny@", "absent", "", "../tiny", "a@b@c"])
def test_what_is_not_there_is_told(store: ModelStore, ref: str) -> None:
    """With what can be had."""
    with pytest.raises(
        PublishError,
        match=r"in the model store .*; there are: tiny@2(: did.*)?$",
    ):
        find_published(store, ref)


def test_what_cannot_be_read_is_told(store: ModelStore) -> None:
    """By its reason."""
    with pytest.raises(PublishError, match="closed: cannot be read: Permission denied"):
        find_published(store, "closed")
