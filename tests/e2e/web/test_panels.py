"""The other panels, and what the page says when something is in the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from service.access.keys import entry_of
from tests.e2e.running_server import PLAIN, running_server
from tests.e2e.web.conftest import Host, at_rest
from tests.e2e.web.writing import session_of, text_of, write
from tests.tiny_model import publish
from tests.waiting import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def test_a_text_is_read(page: Page):
    """Its curve, its most surprising places, and what another model makes of it."""
    page.click("#tab-read")
    page.fill("#read-text", "ROMEO:\nBut soft! what light thrqugh yonder window breaks?")
    page.select_option("#read-beside", "names@3")
    page.click("#read-go")
    page.wait_for_selector(".curve .line-1")

    assert 2 == page.locator("#read-result tbody tr").count()
    places = page.locator(".places li")
    assert 8 == places.count()
    assert "q" == places.first.locator("b").inner_text()
    places.first.locator("button").click()
    assert "q" == page.evaluate("document.activeElement.textContent")
    assert "Expected: o" in page.inner_text(".about")


def test_64_texts_at_once(page: Page):
    """All of them run at the same time; stopped, none does."""
    page.click("#tab-live")
    page.click("#crowd")
    wait_for(lambda: page.inner_text("#gauge-running") == "64", "64 texts that run")
    assert 64 == page.locator("#crowd-texts p").count()
    page.click("#crowd-stop")
    wait_for(lambda: page.inner_text("#gauge-running") == "0", "none that runs")


def test_what_comes_from_a_model_is_text(host: Host, page: Page):
    """Never markup."""
    risky = "<img src=x onerror=alert(1)><b>bold</b>"
    created = httpx.post(f"{host.url}sessions", json={"prompt": risky}, verify=PLAIN).json()
    page.evaluate("id => localStorage.setItem('lstm-serve.open', id)", created["id"])
    page.reload()
    at_rest(page)

    wait_for(lambda: text_of(page) == risky, "the text as it is")
    assert 0 == page.locator("#text img, #tree img, #text b").count()


def test_a_full_server_is_waited_for(page: Page):
    """As long as it says; then the text comes."""
    refusals = iter([True])

    def refuse(route: Route) -> None:
        if next(refusals, False):
            error = {"code": "overloaded", "message": "full", "param": None}
            body = json.dumps({"error": error})
            headers = {"retry-after": "1", "content-type": "application/json"}
            route.fulfill(status=429, headers=headers, body=body)
        else:
            route.continue_()

    page.route("**/generate", refuse)
    page.fill("#prompt", "ROMEO:\n")
    page.select_option("#max-tokens", "100")
    page.click("#go")
    page.wait_for_selector("#notice")
    assert "The server is full" in page.inner_text("#notice")
    wait_for(lambda: len(text_of(page)) == 107, "the text")


def test_a_session_that_is_over_goes_on_as_a_new_one(host: Host, page: Page):
    """What is shown of it is read by the new one."""
    text = write(page, "ROMEO:\n")
    first = session_of(page)
    httpx.delete(f"{host.url}sessions/{first}", verify=PLAIN)
    page.click("#go")
    page.wait_for_selector("#notice")
    assert "keeps this text no longer" in page.inner_text("#notice")
    page.get_by_role("button", name="Go on with it").click()
    wait_for(lambda: len(text_of(page)) == len(text) + 100, "a text that goes on")

    assert text_of(page).startswith(text)
    assert session_of(page) != first


def test_a_server_with_keys_below_a_path(browser: Browser, tmp_path: Path):
    """The page asks for the key, tells when it is wrong, and writes it down nowhere."""
    store = tmp_path / "store"
    publish(store)
    keys = entry_of("alice", "the-key")
    with running_server(store, tmp_path, api_keys=keys, root_path="/some/path") as server:
        context = browser.new_context(locale="en-US")
        page = context.new_page()
        page.goto(f"{server.url}/some/path/")
        for key, hint in (("wrong", "It stays in the memory"), ("the-key", "does not know")):
            page.wait_for_selector(f"#ask-hint >> text={hint}")
            page.fill("#answer", key)
            page.keyboard.press("Enter")
        at_rest(page)
        text = write(page, "Hello")
        assert 105 == len(text)
        kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
        assert "the-key" not in kept
        context.close()
