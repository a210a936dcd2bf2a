"""A store that changes while a server runs: who may say so, and what clients see of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.artifacts.aliases import set_alias
from service.artifacts.reference import Reference
from tests.service.api.keyed import ADMIN, JSON, METRICS, A, code_of, new_app
from tests.tiny_model import publish
from tests.waiting import wait_for


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with one model."""
    publish(tmp_path / "store")
    return tmp_path / "store"


def _client(store: Path, **settings: Any) -> TestClient:
    return TestClient(new_app(store, reload_every_s=0, max_rows=4, **settings), headers=ADMIN)


@pytest.fixture
def client(store: Path) -> Iterator[TestClient]:
    """A server that looks into its store when it is told to."""
    with _client(store) as client:
        yield client


def _generate(client: TestClient, **body: Any) -> dict[str, Any]:
    answer = client.post("/generate", json={"prompt": "ab", "max_tokens": 9, "seed": 1, **body})
    assert 200 == answer.status_code, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_only_a_key_with_the_scope_admin_may(client: TestClient, store: Path):
    """Without keys nobody may: an address is no proof."""
    assert (401, "unauthorized") == code_of(
        client.post("/admin/reload", headers=JSON | {"authorization": ""})
    )
    for key in (A, METRICS):
        assert (403, "forbidden") == code_of(client.post("/admin/reload", headers=key))
    with _client(store, api_keys=None) as open_client:
        assert (403, "forbidden") == code_of(open_client.post("/admin/reload"))


def test_the_answer_says_what_has_changed(client: TestClient, store: Path):
    """And every list of models, health and the metrics say the same."""
    publish(store, "other", seed=5)
    publish(store, version=2, seed=1)
    shutil.copytree(store / "tiny/2", store / "tiny/3")  # its manifest says that it is 2
    set_alias(store, "prod", Reference("tiny", 2))
    report = client.post("/admin/reload").json()

    assert ["other@1", "tiny@2"] == sorted(report["added"])
    assert (["tiny@1"], [], "tiny@2") == (report["removed"], report["kept"], report["default"])
    assert ["tiny@3"] == [*report["refused"]]
    assert {"prod": "tiny@2"} == report["aliases"]
    assert "tiny@2" == _generate(client)["model"] == _generate(client, model="prod")["model"]
    listed = client.get("/models").json()
    assert {"other@1", "tiny@2", "tiny@1"} == {model["id"] for model in listed["models"]}
    assert report["refused"] == listed["broken"] == client.get("/health/ready").json()["broken"]
    assert {"other@1", "tiny@2", "tiny@1"} == {
        m["id"] for m in client.get("/v1/models").json()["data"]
    }
    assert ["1", "2"] == client.get("/v2/models/tiny").json()["versions"]
    metrics = client.get("/metrics").text
    assert 'lstm_serve_reloads_total{outcome="changed"} 1.0' in metrics
    assert 'lstm_serve_rows{model="tiny@2"} 4.0' in metrics


def test_a_store_that_cannot_be_read_changes_nothing(client: TestClient, store: Path):
    """The answer says why."""
    (store / "aliases.json").write_text("{")

    assert (409, "reload_failed") == code_of(client.post("/admin/reload"))
    assert "tiny@1" == _generate(client)["model"]


@pytest.mark.parametrize("named", ["tiny", "tiny@1", "prod"])
def test_a_session_goes_on_with_the_version_that_it_began_with(
    tmp_path: Path, store: Path, named: str
):
    """Whether the version is loaded still or again; a name or an alias has moved on without it."""
    set_alias(store, "prod", Reference("tiny", 1))
    options = {"model": named}
    sqlite = f"sqlite:///{tmp_path}/sessions.sqlite"
    with _client(store, session_store=sqlite) as client:
        session = client.post("/sessions", json={"prompt": "To ", "seed": 3, **options}).json()[
            "id"
        ]
        fork = client.post(f"/sessions/{session}/fork", json={"seed": 3}).json()["sessions"][0][
            "id"
        ]
        whole = [_generate(client, session=session, seed=4, **options)["text"] for _ in range(2)]
        publish(store, version=2, seed=1)
        set_alias(store, "prod", Reference("tiny", 2))
        first = _generate(client, session=fork, seed=4, **options)["text"]
        assert ["tiny@1"] == client.post("/admin/reload").json()["removed"]
    with _client(store, session_store=sqlite) as client:
        assert ["tiny@2"] == [model["id"] for model in client.get("/models").json()["models"]]
        second = _generate(client, session=fork, seed=4, **options)

        assert [*whole, "tiny@1"] == [first, second["text"], second["model"]]
        assert "tiny@2" == _generate(client)["model"]
        answer = client.post("/generate", json={"session": fork, "model": "tiny@2"})
        assert (422, "invalid_request") == code_of(answer)
        assert 200 == client.post(f"/sessions/{fork}/append", json={"text": "be"}).status_code
        assert 200 == client.post(f"/sessions/{fork}/rewind", json={"characters": -1}).status_code


def test_a_sequence_goes_on_too(client: TestClient, store: Path):
    """Which is a session by a client's own name."""

    def ask(**parameters: Any) -> Any:
        body = {"text_input": "a", "parameters": {"sequence_id": 7, "max_tokens": 3, **parameters}}
        return client.post("/v2/models/tiny/generate", json=body).json()

    assert "1" == ask(sequence_start=True)["model_version"]
    publish(store, version=2, seed=1)
    client.post("/admin/reload")
    assert "1" == ask()["model_version"]
    assert "1" == ask(sequence_end=True)["model_version"]
    assert "2" == ask(sequence_start=True)["model_version"]


def test_what_nobody_uses_is_ended(store: Path):
    """By itself, and its memory is free."""
    app = new_app(store, reload_every_s=0.05, older_version_idle_s=0.1, max_rows=4)
    with TestClient(app, headers=ADMIN) as client:
        publish(store, version=2, seed=1)
        wait_for(lambda: "tiny@2" == _generate(client)["model"], "the new version")
        live = app.state.service.inference.live
        wait_for(lambda: ["tiny@2"] == [name for name, _ in live.engines], "the old one's end")
