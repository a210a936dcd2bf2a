"""The straight way and FastAPI's: whatever is sent, the answer is the same."""

from __future__ import annotations

import json

import pytest
from fastapi.testclient import TestClient

from service.api.direct import Direct, DirectRoute

JSON = {"content-type": "application/json"}
PATHS = ("/generate", "/v1/completions", "/v1/chat/completions")
BODIES = (
    b"",
    b"null",
    b"[]",
    b"7",
    b'"text"',
    b"{",
    b'{"prompt": }',
    b"\xff\xfe\xff",
    b'{"prompt": "\\ud800"}',
    b"[" * 100_000,
    b'{"seed": ' + b"9" * 5000 + b"}",
    b'{"no_such": 1}',
    b'{"max_tokens": 0, "temperature": -1}',
    b'{"max_tokens": "1", "top_p": 7}',
    b'{"model": "nobody", "prompt": "a", "messages": [{"role": "user", "content": "a"}]}',
    json.dumps({"prompt": "a" * 40_000, "max_tokens": -1}).encode(),
    b'{"prompt": "ab", "max_tokens": 4, "seed": 3, "temperature": 0.5}',
    b'{"prompt": "ab", "max_tokens": 4, "seed": 3, "temperature": 0.5, "n": 2}',
)
HEADERS: tuple[dict[str, str], ...] = (
    JSON,
    {},
    {"content-type": "text/plain"},
    {"content-type": "application/vnd.a+json; charset=utf-8"},
    JSON | {"if-match": "3"},
    JSON | {"idempotency-key": "a b"},
    JSON | {"last-event-id": "7"},
    JSON | {"content-encoding": "gzip"},
)


def _direct(client: TestClient) -> Direct:
    layer = client.app.middleware_stack  # type: ignore[attr-defined]
    while not isinstance(layer, Direct):
        layer = getattr(layer, "_app", None) or layer.app
    return layer


def _told(response) -> tuple[int, dict[str, str], str]:
    """What does not differ between two times."""
    headers = {k: v for k, v in response.headers.items() if k not in ("x-request-id", "date")}
    body = response.text
    if response.status_code == 200:
        body = json.dumps({k: v for k, v in response.json().items() if k not in ("id", "created")})
        headers.pop("content-length")
    return response.status_code, headers, body


def _both(client: TestClient, monkeypatch, path: str, content: bytes, headers: dict[str, str]):
    direct = _told(client.post(path, content=content, headers=headers))
    with monkeypatch.context() as patch:
        patch.setattr(_direct(client), "_routes", {})
        return direct, _told(client.post(path, content=content, headers=headers))


def test_the_routes_that_write_texts_are_gone_to_directly(client: TestClient):
    """So that what follows compares two ways."""
    assert set(PATHS) == set(_direct(client)._routes)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("content", BODIES, ids=range(len(BODIES)))
def test_a_body_is_answered_as_fastapi_would(client: TestClient, monkeypatch, path, content):
    """What is no JSON, what is of the wrong type, what is unknown, and what is well."""
    direct, usual = _both(client, monkeypatch, path, content, JSON)
    assert usual == direct


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("headers", HEADERS, ids=str)
def test_headers_are_taken_as_fastapi_would(client: TestClient, monkeypatch, path, headers):
    """Types, encodings, and names of what to go on from."""
    direct, usual = _both(client, monkeypatch, path, b'{"prompt": "ab"}', dict(headers))
    assert usual[0] == direct[0]
    if usual[0] != 200:
        assert usual == direct


def test_a_server_that_goes_down_says_so_first(client: TestClient, monkeypatch):
    """Before it says what is wrong with a field, and after it has said what is no JSON."""
    state = client.app.state.service  # type: ignore[attr-defined]
    monkeypatch.setattr(state, "draining", True)
    for content, status in ((b'{"max_tokens": 0}', 503), (b"{", 400)):
        direct, usual = _both(client, monkeypatch, "/generate", content, JSON)
        assert (usual, status) == (direct, direct[0])


def test_a_fault_of_the_server_is_a_500(client: TestClient, monkeypatch, caplog):
    """Told and logged as for any route."""

    async def fail(*_arguments, **_options):
        raise ZeroDivisionError("nobody expects it")

    state = client.app.state.service  # type: ignore[attr-defined]
    monkeypatch.setattr(state.inference, "start", fail)
    direct, usual = _both(client, monkeypatch, "/generate", b'{"prompt": "ab"}', JSON)

    assert (usual, 500) == (direct, direct[0])
    assert "nobody expects it" in caplog.text


def test_other_methods_are_told_which_one_there_is(client: TestClient):
    """They go FastAPI's way."""
    response = client.get("/generate")
    assert (405, "POST") == (response.status_code, response.headers["allow"])


def test_a_route_of_other_parameters_is_none():
    """It would be called without them."""

    async def endpoint(body: int, other: int) -> None:
        """Nothing."""

    with pytest.raises(TypeError, match="/x"):
        DirectRoute("/x", endpoint, methods=["POST"])
