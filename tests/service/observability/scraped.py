"""An application that has done something of everything, and what it tells Prometheus."""

from __future__ import annotations

from pathlib import Path

from fastapi.testclient import TestClient
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from service.app import create_app
from service.settings import Settings
from tests.tiny_model import publish

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


def application(folder: Path, **settings: object) -> TestClient:
    """On a tiny model."""
    store = folder / "store"
    if not store.exists():
        publish(store)
    return TestClient(create_app(Settings.model_validate({"model_store": store, **settings})))


def use(client: TestClient) -> None:
    """Texts that end in different ways, a session and what can go wrong with it."""
    body = {"prompt": "To be, or not to be", "max_tokens": 40, "seed": 1}
    for stream in (True, False, True):
        assert 200 == client.post("/generate", json={**body, "stream": stream}).status_code
    session = client.post("/sessions", json={"prompt": "ab"}).json()["id"]
    turn = {"session": session, "max_tokens": 30, "stop": list("abcdefghijklmnop")}
    assert "stop" == client.post("/generate", json=turn).json()["finish_reason"]
    stale = client.post("/generate", json=turn, headers={"if-match": '"99"'})
    assert 412 == stale.status_code
    client.delete(f"/sessions/{session}")
    assert 404 == client.get("/no/such/route").status_code


def scrape(client: TestClient) -> Series:
    """Every series and its value."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families(client)
        for sample in family.samples
    }


def families(client: TestClient, *, accept: str = "text/plain") -> list[Metric]:
    """What a scrape parses to."""
    answer = client.get("/metrics", headers={"accept": accept})
    assert 200 == answer.status_code
    parse = parse_openmetrics if "openmetrics" in accept else parse_text
    return list(parse(answer.text))
