"""What browsers are told, and what pages of others may do."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from fastapi.testclient import TestClient

from service.access.keys import entry_of
from service.api.origins import HostCheck, _is_address
from service.app import create_app
from service.settings import Settings, hosts_wanted

ORIGIN = "https://app.example.org"
PREFLIGHT = {
    "origin": ORIGIN,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,x-stainless-lang",
}


def _client(store: Path, **settings: Any) -> TestClient:
    given: dict[str, Any] = {"session_store": "memory://", "max_rows": 4} | settings
    return TestClient(create_app(Settings(model_store=store, **given)))


@pytest.mark.parametrize(
    "path", ["/models", "/docs", "/docs/parts/swagger-ui.css", "/no", "/generate"]
)
def test_every_answer_is_safe_in_a_browser(client: TestClient, path: str):
    """It is what it says it is, in no frame, and links tell nobody where they are."""
    headers = client.get(path).headers

    assert ("nosniff", "no-referrer") == (
        headers["x-content-type-options"],
        headers["referrer-policy"],
    )
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert 1 == len(headers.get_list("content-security-policy"))


def test_no_other_origin_is_let_in_unless_it_is_named(client: TestClient):
    """Neither by its preflight, nor to read an answer."""
    assert 405 == client.options("/generate", headers=PREFLIGHT).status_code
    headers = client.get("/models", headers={"origin": ORIGIN}).headers

    assert [] == [name for name in headers if name.startswith("access-control")]


def test_a_named_origin_is_let_in_and_no_other(store: Path):
    """Also to read refusals; preflights need no key; cookies are never let through."""
    settings = {"cors_origins": (ORIGIN,), "api_keys": entry_of("a", "key")}
    with _client(store, **settings) as client:
        allowed = client.options("/generate", headers=PREFLIGHT)
        assert 200 == allowed.status_code
        assert ORIGIN == allowed.headers["access-control-allow-origin"]
        assert "x-stainless-lang" in allowed.headers["access-control-allow-headers"]

        for key, status in (("key", 200), ("wrong", 401)):
            headers = {"origin": ORIGIN, "x-api-key": key}
            answer = client.get("/models", headers=headers)
            assert status == answer.status_code
            assert ORIGIN == answer.headers["access-control-allow-origin"]
            exposed = answer.headers["access-control-expose-headers"].split(", ")
            assert {"X-Request-Id", "ETag", "Retry-After"} <= set(exposed)
            assert "access-control-allow-credentials" not in answer.headers

        evil = {"origin": "https://evil.example"}
        refused = client.options("/generate", headers=PREFLIGHT | evil)
        assert (400, "origin_refused") == (refused.status_code, refused.json()["error"]["code"])
        assert "access-control-allow-origin" not in refused.headers
        answer = client.get("/models", headers=evil | {"x-api-key": "key"})
        assert "access-control-allow-origin" not in answer.headers


def test_all_origins_may_be_let_in(store: Path):
    """Without cookies, as ever."""
    with _client(store, cors_origins=("*",)) as client:
        headers = client.get("/models", headers={"origin": ORIGIN}).headers
        assert "*" == headers["access-control-allow-origin"]
        assert "access-control-allow-credentials" not in headers


@pytest.mark.parametrize(
    ("host", "allowed", "expected"),
    [
        ("127.0.0.1", (), None),
        ("localhost", (), None),
        ("::1", (), None),
        ("0.0.0.0", (), ("*",)),
        ("10.1.2.3", (), ("*",)),
        ("127.0.0.1", ("text.example.org",), ("text.example.org",)),
        ("0.0.0.0", ("text.example.org", "*"), ("*",)),
    ],
)
def test_a_server_for_this_machine_is_asked_by_local_names(host, allowed, expected):
    """Unless it is told that it has others."""
    assert expected == hosts_wanted(allowed, host)


@pytest.mark.parametrize(
    ("host", "local", "named"),
    [
        ("localhost:8000", True, True),
        ("127.0.0.1", True, True),
        ("[::1]:8000", True, True),
        ("192.0.2.7:80", True, True),
        ("me.localhost", True, True),
        ("", True, True),
        ("serve:8000", True, False),
        ("evil.example", False, False),
        ("EVIL.example.:8000", False, False),
        ("127.0.0.1.evil.example", False, False),
        ("localhost.evil.example", False, False),
        ("evil.example/localhost", False, False),
        ("[evil.example]", False, False),
        ("text.example.org", False, True),
        ("TEXT.example.org.:443", False, True),
        ("a.b.wild.example", False, True),
        ("wild.example", False, False),
    ],
)
def test_which_hosts_are_here(host: str, local: bool, named: bool):
    """Addresses and localhost are always: no page has such a name."""

    async def never(*_: object) -> None:
        """Neither the application nor its door is called."""

    names = ("text.example.org", "*.wild.example")
    assert local is HostCheck(never, None, never).is_here(host)
    assert named is HostCheck(never, names, never).is_here(host)


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("a." * 32_000 + "wild.example", id="labels"),
        pytest.param("a" * 64_000 + ".localhost", id="localhost"),
        pytest.param("a" * 64_000, id="no dot"),
        pytest.param("[::1%" + "a" * 64_000 + "]", id="zone"),
        pytest.param("a" * 241 + ".wild.example", id="254"),
    ],
)
@pytest.mark.parametrize("hosts", [None, ("text.example.org", "*.wild.example")])
def test_a_name_that_nobody_can_have_is_not_here(hosts: tuple[str, ...] | None, host: str):
    """It costs the event loop nothing, and is not kept."""

    async def app(*_: object) -> None:
        """Never called, nor is its door."""

    check = HostCheck(app, hosts, app)
    num_kept = _is_address.cache_info().currsize
    for _ in range(200):  # of a second each, if all parts of the name were looked at
        assert not check.is_here(host)

    assert num_kept == _is_address.cache_info().currsize
    assert HostCheck(app, ("*.wild.example",), app).is_here("a" * 240 + ".wild.example")


def test_a_page_that_is_led_here_is_refused(client: TestClient, store: Path):
    """DNS rebinding: the browser takes the server for the page's own, and CORS does not help."""
    for path in ("/models", "/health/live", "/docs"):
        answer = client.get(path, headers={"host": "evil.example:8000"})
        assert (421, "host_refused") == (answer.status_code, answer.json()["error"]["code"])
    two = client.get("/models", headers=[("host", "localhost"), ("host", "evil.example")])
    assert 421 == two.status_code
    with _client(store, host="0.0.0.0") as open_client:
        assert 200 == open_client.get("/models", headers={"host": "any.example"}).status_code


def test_a_prefix_is_taken_off_here_or_by_a_proxy(store: Path):
    """Routes, parts of the page and health are found either way, and need a key either way."""
    settings = {"root_path": "/some/text/", "api_keys": entry_of("a", "key")}
    with _client(store, **settings) as client:
        for before in ("", "/some/text"):
            for path in ("/models", "/docs", "/docs/parts/swagger-ui.css", "/openapi.json"):
                assert 401 == client.get(before + path).status_code
                answer = client.get(before + path, headers={"x-api-key": "key"})
                assert 200 == answer.status_code, before + path
            assert 200 == client.get(before + "/health/live").status_code
            assert 401 == client.get(before + "/health/live/some/text").status_code
        assert 401 == client.get("/some/text/some/text/health/live").status_code
        document = client.get("/some/text/openapi.json", headers={"x-api-key": "key"}).json()
        [server] = document["servers"]
        shown = urljoin("https://x/some/text/openapi.json", server["url"])
        assert "https://x/some/text/" == shown
        wrong = client.delete("/some/text/models", headers={"x-api-key": "key"})
        assert (405, "GET, HEAD") == (wrong.status_code, wrong.headers["allow"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cors_origins", "example.org"),
        ("cors_origins", "https://example.org/path"),
        ("allowed_hosts", "https://example.org"),
        ("allowed_hosts", "example.org:80"),
        ("root_path", "text"),
        ("root_path", "/a b"),
        ("tls_key_file", "key.pem"),
    ],
)
def test_settings_that_could_not_work_are_refused(name: str, value: str):
    """By name."""
    with pytest.raises(ValueError, match=name):
        Settings.model_validate({name: value})
    if name == "tls_key_file":
        with pytest.raises(ValueError, match=name):
            Settings(tls_cert_file=Path("cert.pem"))


def test_lists_are_split_at_commas(monkeypatch: pytest.MonkeyPatch):
    """As those of models are."""
    monkeypatch.setenv("LSTM_SERVE_CORS_ORIGINS", f"{ORIGIN}, http://[::1]:3000")
    monkeypatch.setenv("LSTM_SERVE_ALLOWED_HOSTS", "a.example,*.b.example,")
    settings = Settings()

    assert (ORIGIN, "http://[::1]:3000") == settings.cors_origins
    assert ("a.example", "*.b.example") == settings.allowed_hosts
