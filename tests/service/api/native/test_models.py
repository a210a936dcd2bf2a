"""What a model tells of itself; one that is damaged is refused, and takes no other one out."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.artifacts.aliases import set_alias
from service.artifacts.reference import Reference
from service.settings import Settings
from tests.tiny_model import publish


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """`first` was published first and is damaged; of `tiny` the newest version is."""
    first = publish(tmp_path, "first", created_at="2026-01-01T00:00:00Z")
    later = "2026-02-01T00:00:00Z"
    publish(tmp_path, "tiny", created_at=later)
    newest = publish(tmp_path, "tiny", 2, created_at=later)
    publish(tmp_path, "other", created_at=later)
    (first / "model.onnx").write_bytes(b"broken")
    (newest / "tokenizer.json").unlink()
    return tmp_path


def _client(store: Path, **settings: Any) -> TestClient:
    return TestClient(create_app(Settings(model_store=store, num_lanes=1, **settings)))


def _refusal(response: Any) -> tuple[int, str, str | None]:
    error = response.json()["error"]
    assert "retry-after" not in response.headers
    return response.status_code, error["code"], error["param"]


@pytest.mark.parametrize("name", [None, "first", "first@1", "tiny@2"])
def test_a_damaged_model_is_refused_by_every_route(damaged: Path, name: str | None):
    """503 with the reason, also where it would have been the default; never another model."""
    with _client(damaged) as client:
        asked = {} if name is None else {"model": name}
        refused = [
            client.post("/generate", json={"max_tokens": 1, **asked}),
            client.post("/generate", json={"max_tokens": 1, "stream": True, **asked}),
            client.post("/sessions", json=asked),
            *([client.get(f"/models/{name}")] if name else [client.post("/sessions", json={})]),
        ]

    assert {(503, "model_broken", "model")} == {_refusal(response) for response in refused}
    reason = "tiny/2/tokenizer.json: is missing" if name == "tiny@2" else "first/1/model.onnx: has"
    assert all(reason in response.json()["error"]["message"] for response in refused)


def test_clients_are_not_told_where_the_store_is(damaged: Path):
    """Nor do the probes tell it."""
    with _client(damaged) as client:
        texts = [
            client.get("/health/ready").text,
            client.get("/models").text,
            client.get("/models/first").text,
            client.post("/generate", json={}).text,
        ]

    assert [False] * 4 == [str(damaged) in text for text in texts]


@pytest.mark.parametrize(("name", "ref"), [("tiny", "tiny@1"), ("other", "other@1")])
def test_the_others_are_served(damaged: Path, name: str, ref: str):
    """The newest whole version under the model's name."""
    with _client(damaged) as client:
        written = client.post("/generate", json={"max_tokens": 1, "model": name}).json()
        session = client.post("/sessions", json={"model": name}).json()
        manifest = client.get(f"/models/{name}").json()
        listed = client.get("/models").json()

    assert (ref, ref) == (written["model"], session["model"])
    assert ref == f"{manifest['name']}@{manifest['version']}"
    assert {"other@1": False, "tiny@1": False} == {
        model["id"]: model["default"] for model in listed["models"]
    }
    assert ["first@1", "tiny@2"] == sorted(listed["broken"])


def test_readiness_tells_of_damage_and_fails_for_the_default(damaged: Path):
    """Whoever names no model cannot be answered; a restart would not help."""
    with _client(damaged) as client:
        ready, live = client.get("/health/ready"), client.get("/health/live")
    with _client(damaged, default_model="tiny") as client:
        pinned = client.get("/health/ready")

    assert (503, "default_model_broken") == (ready.status_code, ready.json()["error"]["code"])
    assert "first/1/model.onnx" in ready.json()["error"]["message"]
    assert (200, 200) == (live.status_code, pinned.status_code)
    assert ["first@1", "tiny@2"] == sorted(pinned.json()["broken"]) == sorted(live.json()["broken"])


def test_an_unknown_model_is_still_unknown(damaged: Path):
    """Also a version of a damaged one that nobody has seen."""
    with _client(damaged) as client:
        refused = [client.get(f"/models/{name}") for name in ("absent", "first@2", "tiny@9")]

    assert {(404, "model_not_found", "model")} == {_refusal(response) for response in refused}


def test_a_session_whose_model_is_damaged_is_refused(damaged: Path):
    """It was made when the model was whole; it stays as it is."""
    app = create_app(Settings(model_store=damaged, num_lanes=1, default_model="tiny"))
    store = app.state.service.inference.sessions
    create = partial(store.create, owner="", account="", model="first@1", row=None, seed=1)
    with TestClient(app) as client:
        assert client.portal
        session = client.portal.call(create)
        turns = [
            client.post("/generate", json={"session": session.id, "max_tokens": 1, **asked})
            for asked in ({}, {"model": "first"}, {"model": "tiny"})
        ]
        found = client.get(f"/sessions/{session.id}")

    assert [(503, "model_broken", "model")] * 3 == [_refusal(turn) for turn in turns]
    assert (200, 0) == (found.status_code, found.json()["version"])


def _published(store: Path) -> TestClient:
    record = {
        "curves": [{"step": 5, "epoch": 0.5, "train_loss": 2.5, "validation_loss": 2.25}],
        "samples": [{"temperature": 0.5, "seed": 1, "text": "To be"}],
    }
    documents = {"README.md": "# tiny", "training.json": json.dumps(record), "curves.png": "PNG"}
    publish(store, documents=documents)
    set_alias(store, "prod", Reference("tiny", 1))
    return _client(store, max_rows=3, max_tokens=77, default_max_tokens=99)


def test_a_model_tells_all_of_itself(tmp_path: Path):
    """Its manifest, what it takes and allows here, and what was published with it."""
    with _published(tmp_path) as client:
        found = {name: client.get(f"/models/{name}").json() for name in ("tiny@1", "prod")}
        capacity = client.get("/capacity").json()["models"]["tiny@1"]
    tiny = found["tiny@1"]

    assert tiny == found["prod"]
    manifest = json.loads((tmp_path / "tiny/1/manifest.json").read_text("utf-8"))
    assert manifest.items() <= tiny.items()
    assert ("tiny@1", True, ["prod"]) == (tiny["id"], tiny["default"], tiny["aliases"])
    assert sum(entry["num_bytes"] for entry in manifest["files"].values()) == tiny["bytes"]["files"]
    assert capacity["row_bytes"] == tiny["bytes"]["row"]
    assert capacity["session_bytes"] == tiny["bytes"]["session"]
    limits = tiny["limits"]
    assert (3, 77, 77) == (limits["rows"], limits["max_tokens"], limits["default_max_tokens"])
    assert [2.25] == [point["validation_loss"] for point in tiny["training"]["curves"]]
    assert ["To be"] == [sample["text"] for sample in tiny["training"]["samples"]]
    assert "/models/tiny@1/files/README.md" == tiny["documents"]["README.md"]


def test_documents_are_as_they_were_published(tmp_path: Path):
    """The model itself is not for everybody, nor what nobody has published."""
    with _published(tmp_path) as client:
        found = {
            file: client.get(f"/models/prod/files/{file}")
            for file in ("README.md", "curves.png", "training.json")
        }
        (tmp_path / "tiny/1/README.md").write_text("changed")
        refused = [
            client.get(f"/models/tiny/files/{file}")
            for file in ("model.onnx", "tokenizer.json", "manifest.json", "README.md", "..%2fx")
        ]
        assert client.get("/models/tiny").json()["training"] is not None
        (tmp_path / "tiny/1/training.json").write_text("{}")
        assert client.get("/models/tiny").json()["training"] is None

    assert ["# tiny", "PNG"] == [found[file].text for file in ("README.md", "curves.png")]
    assert ["text/markdown; charset=utf-8", "image/png", "application/json"] == [
        answer.headers["content-type"] for answer in found.values()
    ]
    assert {(404, "document_not_found", "file")} == {_refusal(answer) for answer in refused[:4]}
    assert 404 == refused[4].status_code


def test_a_version_without_curves_says_so(tmp_path: Path):
    """Nothing is made up."""
    publish(tmp_path)
    with _client(tmp_path) as client:
        found = client.get("/models/tiny").json()

    assert (None, {}) == (found["training"], found["documents"])
