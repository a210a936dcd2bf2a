"""With API keys set, every route but health needs one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from starlette.routing import BaseRoute, Mount

from service.access.keys import entry_of
from service.api.access import OPEN
from service.api.identity import require_admin
from service.app import create_app
from service.models.errors import CannotServe
from service.settings import Settings
from tests.service.api.keyed import ADMIN, JSON, METRICS, A, bearer, code_of, new_app

OTHER_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


@pytest.fixture(scope="module")
def app(store: Path) -> FastAPI:
    """With keys, and routes that other parts of the server may have: mounted ones, and metrics."""
    app = new_app(store)
    part = FastAPI()
    deeper = FastAPI()

    async def where() -> str:
        return "inside"

    deeper.get("/models")(where)
    part.get("/models")(where)
    part.get("/health/live")(where)
    part.mount("/deeper", deeper)
    app.mount("/v1", part)
    app.get("/metrics")(where)
    app.get("/admin/where")(where)
    app.get("/where", dependencies=[Depends(require_admin)])(where)
    return app


@pytest.fixture(scope="module")
def keyed(app: FastAPI) -> Iterator[TestClient]:
    """The application with keys."""
    with TestClient(app) as client:
        yield client


def _paths(routes: list[BaseRoute], before: str = "") -> Iterator[str]:
    """Every path that is served, also of what is mounted, and below it what is not a route."""
    for route in routes:
        if included := getattr(route, "original_router", None):
            yield from _paths(included.routes, before)
            continue
        path = before + re.sub(r"{[^}]*}", "x", getattr(route, "path", ""))
        yield path
        if isinstance(route, Mount):
            yield f"{path}/swagger-ui.css"
            yield from _paths(route.routes or [], path)


def test_every_route_needs_a_key_but_health(app: FastAPI, keyed: TestClient):
    """And the page; whatever the method; mounted ones, and paths that nobody serves."""
    paths = {*_paths(app.routes), "/", "/no/such", "/health", "/health/", "/health/live/x"}
    assert {"/docs", "/openapi.json", "/docs/parts/swagger-ui.css", "/v1/deeper/models"} < paths
    documented = {re.sub(r"{[^}]*}", "x", path) for path in app.openapi()["paths"]}
    assert {"/health/live", "/v1/health/live", *documented} < paths

    for path in sorted(paths):
        for method in OTHER_METHODS:
            response = keyed.request(method, path, headers=JSON)
            if path in OPEN | {"/"}:
                assert 401 != response.status_code, path
                continue
            assert 401 == response.status_code, (method, path)
            assert "Bearer" == response.headers["www-authenticate"]
            if method == "HEAD":
                continue
            error = response.json()["error"]
            if path.startswith("/v2"):  # in the words of KServe
                assert error.startswith("an API key is needed"), error
            else:
                assert "unauthorized" == error["code"]
                extra = {"type"} if path.startswith("/v1") else set()
                assert {"code", "message", "param"} | extra == set(error)
    assert {200} == {keyed.get(path).status_code for path in ("/health/live", "/health/ready")}


@pytest.mark.parametrize(
    "path",
    [
        "/health/live/../../models",
        "//health/live",
        "/HEALTH/live",
        "/health/live;/models",
        "/health/live%2f..%2f..%2fmodels",
        "/models?path=/health/live",
        "/models#/health/live",
    ],
)
def test_no_path_looks_like_health(keyed: TestClient, path: str):
    """It is compared as the router has it."""
    assert 401 == keyed.get(path).status_code


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "x/health/live?"},
        {"host": "localhost/health/live"},
        {"x-original-url": "/health/live"},
        {"x-rewrite-url": "/health/live"},
        {"x-forwarded-prefix": "/health/live"},
        {"x-forwarded-for": "127.0.0.1", "forwarded": "for=127.0.0.1"},
        {"x-http-method-override": "OPTIONS"},
        {"cookie": "authorization=Bearer key-a; x-api-key=key-a"},
    ],
)
def test_no_other_header_opens_anything(keyed: TestClient, headers: dict[str, str]):
    """Neither a Host that makes the URL look like another path (CVE-2026-48710), nor a proxy's."""
    assert keyed.get("/models", headers=headers).status_code in {401, 421}


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("authorization", "")],
        [("authorization", "Bearer")],
        [("authorization", "Bearer ")],
        [("authorization", "key-a")],
        [("authorization", "Basic a2V5LWE6")],
        [("authorization", "Bearer key-a, Bearer key-b")],
        [("authorization", "Bearer KEY-A")],
        [("authorization", "Bearer key")],
        [("authorization", "Bearer key-a-")],
        [("authorization", "Bearer " + "k" * 60_000)],
        [("x-api-key", "")],
        [("x-api-key", "Bearer key-a")],
        [("authorization", "Bearer key-a"), ("x-api-key", "key-b")],
        [("authorization", "Bearer key-a"), ("authorization", "Bearer wrong")],
        [("x-api-key", "key-a"), ("x-api-key", "key-b")],
    ],
)
def test_what_is_no_key_is_401(keyed: TestClient, headers: list[tuple[str, str]]):
    """Also two that are different, of which another server may have looked at the other one."""
    assert (401, "unauthorized") == code_of(keyed.get("/models", headers=headers))
    assert 401 == keyed.get("/models?api_key=key-a&key=key-a", headers=headers).status_code


@pytest.mark.parametrize(
    "headers",
    [
        [("authorization", "Bearer key-a")],
        [("authorization", "bearer   key-a ")],
        [("x-api-key", "key-a2")],
        [("authorization", "Bearer key-a"), ("x-api-key", "key-a")],
        [("authorization", "Basic eDp5"), ("x-api-key", "key-a")],
    ],
)
def test_a_key_may_come_in_either_header(keyed: TestClient, headers: list[tuple[str, str]]):
    """The other one may be for a proxy."""
    assert 200 == keyed.get("/models", headers=headers).status_code


def test_scopes(keyed: TestClient):
    """Metrics tell of everybody, so they are not for every key; `admin` is for everything."""
    found = {
        path: [keyed.get(path, headers=key).status_code for key in (A, METRICS, ADMIN)]
        for path in ("/models", "/v1/models", "/metrics", "/admin/where", "/where")
    }

    assert {
        "/models": [200, 403, 200],
        "/v1/models": [200, 403, 200],
        "/metrics": [403, 200, 200],
        "/admin/where": [403, 403, 200],
        "/where": [403, 403, 200],
    } == found
    assert (403, "forbidden") == code_of(keyed.get("/where", headers=A))


async def _nothing() -> None:
    """A route's work."""


def test_without_keys_nobody_is_admin(store: Path):
    """What changes the server is off unless somebody may do it."""
    app = create_app(Settings(model_store=store, session_store="memory://"))
    app.post("/where", dependencies=[Depends(require_admin)])(_nothing)
    with TestClient(app) as client:
        assert (403, "forbidden") == code_of(client.post("/where", headers=ADMIN))
        assert 200 == client.get("/models", headers=bearer("anything")).status_code


def test_a_bad_file_is_told_by_readiness_and_keeps_the_keys(store: Path, tmp_path: Path):
    """It stays ready: who had a key has one."""
    file = tmp_path / "keys"
    file.write_text(entry_of("carol", "key-c"), encoding="utf-8")
    app = new_app(store, api_keys=None, api_keys_file=file)
    with TestClient(app) as client:
        assert 200 == client.get("/models", headers=bearer("key-c")).status_code
        assert 401 == client.get("/models", headers=A).status_code
        app.state.service.keys.fault = "it is none"
        ready = client.get("/health/ready")
        assert (200, True) == (ready.status_code, "API keys" in ready.json()["keys"])
        assert "it is none" not in ready.text, "anybody may read it"
        assert 200 == client.get("/models", headers=bearer("key-c")).status_code


@pytest.mark.parametrize(
    "settings", [{"api_keys": "x"}, {"api_keys": ""}, {"api_keys_file": "/no"}]
)
def test_keys_that_are_none_stop_the_start(store: Path, settings: dict[str, Any]):
    """An open door would be worse."""
    with pytest.raises(CannotServe, match="--api-keys"):
        new_app(store, **({"api_keys": None} | settings))


def test_the_document_says_that_keys_are_needed(keyed: TestClient, client: TestClient):
    """Where they are; and nothing of it where they are not."""
    document = keyed.get("/openapi.json", headers=A).json()
    generate, live = (
        document["paths"][path][method]
        for path, method in (("/generate", "post"), ("/health/live", "get"))
    )

    assert [{"bearer": []}, {"header": []}] == generate["security"]
    assert {"401", "403", "429"} <= set(generate["responses"])
    for path, shape in {
        "/v1/completions": "OpenAI",
        "/v2/models/{model}/generate": "KServe",
    }.items():
        content = document["paths"][path]["post"]["responses"]["401"]["content"]
        reference = content["application/json"]["schema"]["$ref"]
        assert f"#/components/schemas/{shape}ErrorResponse" == reference
    assert "security" not in live
    assert "401" not in live["responses"]
    assert "security" not in json.dumps(client.get("/openapi.json").json())


def test_the_log_has_the_name_and_never_the_key(
    keyed: TestClient, caplog: pytest.LogCaptureFixture
):
    """Nor what was presented in its place."""
    caplog.set_level("INFO")
    keyed.get("/models", headers=A)
    keyed.get("/models", headers=bearer("wrong-key"))

    fields = [record.__dict__ for record in caplog.records if record.name == "service.request"]
    assert ["alice", None] == [line["fields"].get("key") for line in fields[-2:]]
    assert "key-a" not in str(fields)
    assert "wrong-key" not in str(fields)
