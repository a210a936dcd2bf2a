"""What holds for every route: HEAD, Allow, JSON that says so, no redirects."""

import re

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

_FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("path", ["/models", "/models/tiny", "/sessions", "/health/live", "/docs"])
def test_head_is_served_wherever_get_is(client: TestClient, path: str):
    """With the same status and type."""
    got, head = client.get(path), client.head(path)

    assert (200, 200) == (got.status_code, head.status_code)
    assert got.headers["content-type"] == head.headers["content-type"]


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        ("/sessions", "PUT", {"GET", "HEAD", "POST"}),
        ("/sessions/s_x", "POST", {"GET", "HEAD", "DELETE"}),
        ("/generate", "HEAD", {"POST"}),
        ("/models", "DELETE", {"GET", "HEAD"}),
        ("/docs/parts/swagger-ui.css", "PUT", {"GET", "HEAD"}),
    ],
)
def test_allow_names_all_methods(client: TestClient, path: str, method: str, allowed: set[str]):
    """Of all routes of the path, not only of the first one."""
    response = client.request(method, path, headers={"content-type": "application/json"})

    assert 405 == response.status_code
    assert allowed == set(response.headers["allow"].split(", "))


@pytest.mark.parametrize("path", ["/sessions/", "/models/", "/generate/", "/health/live/"])
def test_a_trailing_slash_is_no_redirect(client: TestClient, path: str):
    """It would have to know the scheme and host that the client sees."""
    response = client.get(path, follow_redirects=False)

    assert (404, "not_found") == (response.status_code, response.json()["error"]["code"])


def test_whoever_changes_something_says_that_they_send_json(client: TestClient):
    """The web pages of others cannot, without asking."""
    assert isinstance(client.app, FastAPI)
    found = {
        (method, path)
        for path, operations in client.app.openapi()["paths"].items()
        for method in operations
        if method in {"post", "put", "patch"}
    }
    assert {("post", "/generate"), ("post", "/admin/reload"), ("post", "/v1/completions")} < found

    for method, path in sorted(found):
        answer = client.request(method, re.sub("{[^}]*}", "x", path), content=b"{}", headers=_FORM)
        assert 415 == answer.status_code, path
