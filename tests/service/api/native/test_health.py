"""Probes tell the truth."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests.waiting import wait_for


@pytest.fixture
def app(store: Path) -> FastAPI:
    """An application that a test may break."""
    return create_app(Settings(model_store=store, heartbeat_timeout_s=0.6, num_lanes=1))


def engine_of(app: FastAPI):
    """The engine of its one model."""
    return next(iter(app.state.service.inference.models)).engine


def probe(client: TestClient) -> list[tuple[int, str | None]]:
    """Status and reason of both probes."""
    responses = [client.get(f"/health/{name}") for name in ("live", "ready")]
    return [(r.status_code, r.json().get("error", {}).get("code")) for r in responses]


def test_a_working_server_is_well(app: FastAPI):
    """Also when it has been idle for longer than a heartbeat may take."""
    with TestClient(app) as client:
        assert [(200, None)] * 2 == probe(client)
        time.sleep(1.2)
        assert [(200, None)] * 2 == probe(client)


def test_a_dead_engine_is_told_by_both(app: FastAPI, monkeypatch: pytest.MonkeyPatch):
    """Only a restart helps; the stream that it killed had not begun, and has its true status."""
    engine = engine_of(app)

    admit = engine._rows.scheduler.admit

    def breaks(*lanes):
        if engine._rows.jobs:
            raise MemoryError("no more")
        return admit(*lanes)

    monkeypatch.setattr(engine._rows.scheduler, "admit", breaks)
    with TestClient(app) as client:
        stream = client.post("/generate", json={"stream": True})
        wait_for(lambda: not engine.status.alive, "the engine's death")
        after = client.post("/generate", json={"max_tokens": 1})

        assert (500, "engine_failed") == (stream.status_code, stream.json()["error"]["code"])
        assert [(503, "engine_dead")] * 2 == probe(client)
        assert (500, "engine_failed") == (after.status_code, after.json()["error"]["code"])


def test_a_silent_engine_is_alive_but_not_ready(app: FastAPI, monkeypatch: pytest.MonkeyPatch):
    """It may be in a long burst; a restart would lose its rows."""
    decoder = engine_of(app)._rows.lanes[0]._decoder
    burst, gate = decoder.burst, threading.Event()

    def waits(plan):
        assert gate.wait(30)
        return burst(plan)

    monkeypatch.setattr(decoder, "burst", waits)
    with TestClient(app) as client, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.post, "/generate", json={"max_tokens": 1})
        wait_for(
            lambda: [(200, None), (503, "engine_stuck")] == probe(client), "an engine that is stuck"
        )
        gate.set()

        assert 200 == answer.result().status_code
        assert [(200, None)] * 2 == probe(client)


def test_a_draining_server_is_alive_but_not_ready(app: FastAPI):
    """And takes no new work."""
    with TestClient(app) as client:
        app.state.service.draining = True
        refused = client.post("/generate", json={"max_tokens": 1})

        assert [(200, None), (503, "shutting_down")] == probe(client)
        assert 503 == refused.status_code
        assert "retry-after" in refused.headers


@pytest.mark.parametrize(("max_rows", "capacities"), [(1, [1]), (3, [1, 2]), (256, [128, 128])])
def test_lanes_share_the_rows(store: Path, max_rows: int, capacities: list[int]):
    """No more texts than the setting says, however many lanes there are."""
    app = create_app(Settings(model_store=store, max_rows=max_rows, num_lanes=2))

    [model] = app.state.service.inference.models
    assert capacities == [*model.engine._rows.scheduler.capacities]
