"""No page of the server leads a browser to another host."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

_HOST = re.compile(r"""["'(=\s](?:https?:|wss?:)?//[\w.-]+""")


class _Links(HTMLParser):
    """Collects what a page refers to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Any element may have them."""
        del tag
        self.links += [value for name, value in attrs if name in {"src", "href"} and value]


def _pages(client: TestClient) -> dict[str, str]:
    """Every HTML page that a route without parameters gives, by its URL."""
    app = client.app
    assert isinstance(app, FastAPI)
    paths = {getattr(route, "path", "/") for route in app.routes} | {"/", "/docs", "/redoc"}
    answers = {path: client.get(path) for path in sorted(paths) if "{" not in path}
    return {
        path: answer.text
        for path, answer in answers.items()
        if "html" in answer.headers.get("content-type", "")
    }


def test_no_page_names_another_host(client: TestClient):
    """Neither in an element, nor in a script or a style of the page."""
    pages = _pages(client)

    assert {"/", "/docs"} == set(pages)
    for url, page in pages.items():
        assert [] == _HOST.findall(page), url
        for link in _Links(page).links:
            assert not urlsplit(link).netloc


@pytest.mark.parametrize("prefix", ["", "/some/prefix"])
def test_every_part_of_every_page_is_served(client: TestClient, prefix: str):
    """Below whatever prefix a proxy takes off."""
    for url, page in _pages(client).items():
        links = [link for link in _Links(page).links if not link.startswith("data:")]
        links += re.findall(r"\burl: '([^']+)'", page)
        assert len(links) > 2
        for link in links:
            absolute = urljoin(f"http://testserver{prefix}{url}", link)
            assert absolute.startswith(f"http://testserver{prefix}/")
            answer = client.get(absolute.replace(prefix, "", 1))
            assert 200 == answer.status_code
            if link.endswith(".css"):
                assert [] == re.findall(r"url\((?!['\"]?data:)|@import", answer.text)


def test_the_documentation_tells_nobody_where_the_server_is(client: TestClient):
    """Swagger UI would ask a validator on the internet; and the browser is told to ask nobody."""
    answer = client.get("/docs")

    assert '"validatorUrl": null' in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'self' ")
    assert 404 == client.get("/redoc").status_code


def test_routes_are_tried_where_the_documentation_is(client: TestClient):
    """The document's server is relative to the document."""
    [server] = client.get("/openapi.json").json()["servers"]

    assert "https://x/some/prefix/" == urljoin("https://x/some/prefix/openapi.json", server["url"])
    assert 404 == client.get("/docs/parts/no-such").status_code
    assert "not_found" == client.get("/docs/parts/no-such").json()["error"]["code"]
