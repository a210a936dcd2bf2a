"""`lstm-serve models`: verify, remove, alias."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service import cli
from service.app import create_app
from service.settings import Settings
from tests import tiny_model


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of two versions of one model, and another model."""
    for name, version in (("tiny", 1), ("tiny", 2), ("other", 1)):
        tiny_model.publish(tmp_path, name, version=version, seed=version)
    monkeypatch.setenv("LSTM_SERVE_MODEL_STORE", str(tmp_path))
    return tmp_path


def lstm_serve(*words: str) -> int:
    """The exit status of `lstm-serve models ...`."""
    return cli.main(["models", *words])


def test_whole_versions_are_verified(root: Path, capsys):
    """All, those of a name, one."""
    for words, num in (([], 3), (["tiny"], 2), (["tiny@1"], 1)):
        assert 0 == lstm_serve("verify", *words)
        lines = capsys.readouterr().out.splitlines()
        assert num == len(lines)
        assert all("ok: checksums, graph" in line for line in lines)


def test_what_is_damaged_is_named(root: Path, capsys):
    """With the file; the others are verified all the same."""
    file = root / "tiny" / "2" / "model.onnx"
    file.write_bytes(file.read_bytes()[:-1] + b"x")

    assert 1 == lstm_serve("verify")
    lines = capsys.readouterr().out.splitlines()
    assert 3 == len(lines)
    assert "model.onnx: its sha256" in next(line for line in lines if line.startswith("tiny@2"))


def test_a_graph_that_computes_something_else_is_found(root: Path, capsys, monkeypatch):
    """Though every checksum is right: here the burst graph is of other weights."""
    import onnx

    from service.models.checked import CheckedModel

    decoder = CheckedModel.decoder

    def other(self, **sizes):
        graph = onnx.load_model_from_string(tiny_model.step_graph(seed=99))
        return decoder(CheckedModel(self.artifact, graph, self.tokenizer), **sizes)

    monkeypatch.setattr(CheckedModel, "decoder", other)

    assert 1 == lstm_serve("verify", "tiny@1")
    assert "differs by" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["verify", "nix"], "nix"),
        (["verify", "tiny@9"], "tiny@9"),
        (["verify", "a@b"], "NAME@VERSION"),
        (["remove", "tiny", "--yes"], "names no version"),
        (["remove", "tiny@9", "--yes"], "holds no tiny@9"),
        (["alias", "prod", "tiny@9"], "holds no tiny@9"),
        (["alias", "prod", "nix"], "holds no nix"),
        (["alias", "Not a name", "tiny@1"], "is no name"),
        (["alias", "other", "tiny@1"], "is a model itself"),
        (["alias", "prod"], "say what it shall mean"),
        (["alias", "prod", "--remove"], "has no alias"),
        (["alias", "prod", "tiny@1", "--remove"], "say what it shall mean"),
        (["alias", "prod", "tiny@1", "--model-store", "/no/such"], "/no/such holds no tiny@1"),
    ],
    ids=range(13),
)
def test_what_cannot_be_is_a_line(root: Path, capsys, words, named: str):
    """And nothing has changed."""
    before = sorted(root.rglob("*"))
    assert 1 == lstm_serve(*words)

    found = capsys.readouterr()
    assert named in found.err
    assert 1 == len(found.err.splitlines())
    assert before == sorted(root.rglob("*"))


@pytest.mark.parametrize(("said", "status"), [("y\n", 0), ("n\n", 1), ("", 1)])
def test_a_version_is_removed_once_somebody_has_agreed(
    root: Path, capsys, monkeypatch, said: str, status: int
):
    """Whole, or not at all."""
    answer = io.StringIO(said)
    monkeypatch.setattr(answer, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stdin", answer)

    assert status == lstm_serve("remove", "other@1")
    assert (root / "other" / "1" / "model.onnx").exists() == bool(status)
    assert (root / "other").exists() == bool(status)


def test_nobody_is_asked_who_cannot_answer(root: Path, capsys, monkeypatch):
    """In a script it takes --yes."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert 1 == lstm_serve("remove", "tiny@1")
    assert "--yes" in capsys.readouterr().err
    assert 0 == lstm_serve("remove", "tiny@1", "--yes")
    assert ["2"] == [path.name for path in (root / "tiny").iterdir()]


def test_what_cannot_be_moved_stays(root: Path, capsys, monkeypatch):
    """And nothing is left beside it."""

    def refuse(*_):
        raise PermissionError(13, "Permission denied", "tiny")

    monkeypatch.setattr(Path, "rename", refuse)

    assert 1 == lstm_serve("remove", "tiny@1", "--yes")
    assert "tiny: Permission denied" in capsys.readouterr().err
    assert ["1", "2"] == sorted(path.name for path in (root / "tiny").iterdir())


def test_what_is_needed_is_not_removed(root: Path, tmp_path: Path, capsys, monkeypatch):
    """By an alias, or by a live session."""
    file = tmp_path / "sessions.sqlite3"
    monkeypatch.setenv("LSTM_SERVE_SESSION_STORE", f"sqlite:///{file}")
    with TestClient(create_app(Settings(model_store=root))) as client:
        made = client.post("/sessions", json={"prompt": "a", "model": "tiny"}).json()
    assert "tiny@2" == made["model"]
    assert 1 == lstm_serve("remove", "tiny@2", "--yes")
    assert "1 session of it goes on" in capsys.readouterr().err
    monkeypatch.setenv("LSTM_SERVE_SESSION_IDLE_TTL_S", "1e-9")
    assert 0 == lstm_serve("alias", "prod", "tiny@2")
    assert 1 == lstm_serve("remove", "tiny@2", "--yes")
    assert "alias prod" in capsys.readouterr().err
    assert 0 == lstm_serve("alias", "prod", "--remove")
    file.write_bytes(b"no database")
    assert 0 == lstm_serve("remove", "tiny@2", "--yes")
    assert "is not known" in capsys.readouterr().err


def test_an_alias_is_served(root: Path, capsys):
    """An older version beside the newest; the answer says which; moving it is a rollback."""
    assert 0 == lstm_serve("alias", "prod", "tiny@1")
    assert 0 == lstm_serve("alias", "latest", "tiny")
    assert {"latest": "tiny@2", "prod": "tiny@1"} == json.loads((root / "aliases.json").read_text())
    with TestClient(create_app(Settings(model_store=root, default_model="prod"))) as client:
        asked = {"prompt": "a", "max_tokens": 20, "seed": 1}
        named = client.post("/generate", json={**asked, "model": "prod"}).json()
        default = client.post("/generate", json=asked).json()
        assert ("tiny@1", named["text"]) == (default["model"], default["text"])
        assert "tiny@1" == named["model"]
        listed = client.get("/models").json()
        assert {"latest": "tiny@2", "prod": "tiny@1"} == listed["aliases"]
        assert ["other@1", "tiny@2", "tiny@1"] == [each["id"] for each in listed["models"]]
        assert 1 == client.get("/models/prod").json()["version"]
        session = client.post("/sessions", json={"model": "prod"}).json()
        assert "tiny@1" == session["model"]
    assert 0 == lstm_serve("alias", "prod", "tiny@2")
    assert "it was tiny@1" in capsys.readouterr().out
    with TestClient(create_app(Settings(model_store=root, models=("prod",)))) as client:
        assert "tiny@2" == client.post("/generate", json=asked).json()["model"]
    assert 0 == lstm_serve()
    assert "alias prod: tiny@2" in capsys.readouterr().out


def test_a_model_s_own_name_can_be_pinned(root: Path):
    """Whoever asks for the model gets that version, though a newer one is there."""
    assert 0 == lstm_serve("alias", "tiny", "tiny@1")
    with TestClient(create_app(Settings(model_store=root))) as client:
        asked = {"prompt": "a", "max_tokens": 1, "model": "tiny"}
        assert "tiny@1" == client.post("/generate", json=asked).json()["model"]


def test_an_alias_of_what_is_damaged_takes_nothing_else_out(root: Path):
    """Its requests are 503, with the reason; never does another version answer."""
    assert 0 == lstm_serve("alias", "prod", "tiny@1")
    (root / "tiny" / "1" / "model.onnx").unlink()
    with TestClient(create_app(Settings(model_store=root))) as client:
        answer = client.post("/generate", json={"model": "prod"})
        assert (503, "model_broken") == (answer.status_code, answer.json()["error"]["code"])
        assert 200 == client.post("/generate", json={"model": "tiny"}).status_code


@pytest.mark.parametrize(
    "content", ["", "[]", '{"a": 1}', '{"a": "tiny"}', '{"A b": "tiny@1"}', "[" * 99_999]
)
def test_damaged_aliases_are_named(root: Path, capsys, content: str):
    """A server that would forget what its names mean does not start."""
    (root / "aliases.json").write_text(content)

    assert 1 == lstm_serve("alias", "prod", "tiny@1")
    assert "aliases.json: " in capsys.readouterr().err
    assert content == (root / "aliases.json").read_text()
    assert 1 == cli.main(["serve", "--port", "0"])
    assert "aliases.json: " in capsys.readouterr().err


def test_the_store_can_be_named_on_either_side(tmp_path: Path, capsys):
    """Of the word for what is to be done."""
    tiny_model.publish(tmp_path / "here")
    place = ["--model-store", str(tmp_path / "here")]

    assert 0 == lstm_serve("verify", *place)
    assert 0 == lstm_serve(*place, "verify")
