"""The page for people: its files, and what a browser is told about them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.api.web_page import FOLDER
from service.app import create_app
from service.settings import Settings
from tests.service.api.keyed import new_app

FILES = sorted(path.name for path in FOLDER.iterdir())
MOST_BYTES = 150_000
MOST_LINES = 300


def test_the_page_and_its_files_are_served(client: TestClient):
    """Each with its type, and with nothing that a page of it could load from elsewhere."""
    types = {"css": "text/css", "html": "text/html", "js": "text/javascript", "svg": "image/svg"}

    assert "text/html; charset=utf-8" == client.get("/").headers["content-type"]
    for name in FILES:
        answer = client.get(f"/web/{name}")
        assert 200 == answer.status_code
        assert answer.headers["content-type"].startswith(types[name.rpartition(".")[2]])
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'self'; require-trusted-types-for 'script';")
        assert "unsafe" not in policy


@pytest.mark.parametrize("path", ["/", "/web/main.js"])
def test_who_has_it_is_not_sent_it_again(client: TestClient, path: str):
    """As long as it is the same."""
    etag = client.get(path).headers["etag"]

    for known in (etag, f'"x", W/{etag}', "*"):
        answer = client.get(path, headers={"if-none-match": known})
        assert (304, b"", etag) == (answer.status_code, answer.content, answer.headers["etag"])
    assert 200 == client.get(path, headers={"if-none-match": '"x"'}).status_code


@pytest.mark.parametrize("ranges", ["bytes=0-", "bytes=" + "0-," * 5_000 + "0-", "bytes=9-1", "x"])
def test_a_part_of_it_cannot_be_had(client: TestClient, ranges: str):
    """Many overlapping parts cost other servers quadratic time (CVE-2025-62727)."""
    whole = client.get("/web/main.js")
    answer = client.get("/web/main.js", headers={"range": ranges})

    assert (200, whole.content) == (answer.status_code, answer.content)
    assert "content-range" not in answer.headers


@pytest.mark.parametrize("name", ["no-such.js", "..%2fapp.py", "%2e%2e/app.py", ".", ""])
def test_nothing_else_is_there(client: TestClient, name: str):
    """Least of all other files of the program."""
    answer = client.get(f"/web/{name}")

    assert (404, "not_found") == (answer.status_code, answer.json()["error"]["code"])


def test_it_can_be_switched_off(store: Path):
    """Then it is a path that nobody serves."""
    with TestClient(create_app(Settings(model_store=store, web=False))) as client:
        assert 404 == client.get("/").status_code
        assert 404 == client.get("/web/main.js").status_code


def test_it_comes_without_a_key(store: Path):
    """It asks for one itself; what is not a file of it does need one."""
    with TestClient(new_app(store)) as keyed:
        assert 200 == keyed.get("/").status_code
        assert {200} == {keyed.get(f"/web/{name}").status_code for name in FILES}
        assert 401 == keyed.get("/web/no-such.js").status_code
        assert 401 == keyed.get("/models").status_code


def test_it_is_small_and_in_small_parts():
    """All of it is loaded at once; each file holds one thing."""
    contents = [(FOLDER / name).read_text(encoding="utf-8") for name in FILES]

    assert len(contents) > 20
    assert sum(len(content.encode()) for content in contents) < MOST_BYTES
    assert max(content.count("\n") for content in contents) <= MOST_LINES


def test_no_text_can_become_markup():
    """What users and models write is text, wherever it is shown."""
    risky = re.compile(
        r"\.(inner|outer)HTML|insertAdjacentHTML|document\.write|\beval\(|Function\("
    )

    for name in FILES:
        assert not risky.search((FOLDER / name).read_text(encoding="utf-8")), name


def test_both_languages_say_the_same():
    """Each has words, with the same places to fill in."""
    words = _words()

    assert len(words) > 100
    for key, (english, chinese) in words.items():
        assert english, key
        assert chinese, key
        assert _places(english) == _places(chinese), key


def test_every_word_that_is_asked_for_is_there():
    """By the scripts, and in the page."""
    asked = set()
    for name in FILES:
        content = (FOLDER / name).read_text(encoding="utf-8")
        asked |= set(re.findall(r'\bt\("([a-z_.]+)"|\bdata-t(?:-[a-z-]+)?="([^"]+)"', content))
    wanted = {one or other for one, other in asked}

    assert len(wanted) > 60
    assert set() == wanted - set(_words())


def _words() -> dict[str, tuple[str, str]]:
    content = (FOLDER / "words.js").read_text(encoding="utf-8")
    lines = re.findall(r'^\t"([a-z_.0-9]+)": \["(.*)", "(.*)"\],$', content, re.M)
    assert len(lines) == content.count("\n\t")
    return {key: (english, chinese) for key, english, chinese in lines}


def _places(words: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", words))
