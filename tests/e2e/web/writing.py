"""What people do with the page, and what they see of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from tests.e2e.running_server import PLAIN
from tests.e2e.web.conftest import Host, at_rest

if TYPE_CHECKING:
    from playwright.sync_api import Page

_STOP_AFTER = """length => new Promise((done) => {
  const [text, stop] = ["text", "stop"].map((id) => document.getElementById(id));
  const look = () => {
    if (text.textContent.length <= length) return;
    observer.disconnect();
    stop.click();
    done();
  };
  const observer = new MutationObserver(look);
  observer.observe(text, { childList: true, subtree: true });
  look();
})"""


def write(page: Page, prompt: str, length: int = 100) -> str:
    """Have a text written, to its end; returns all of it."""
    begin(page, prompt, length)
    page.wait_for_selector("#text .tok:not(.read)", state="attached")
    at_rest(page)
    return text_of(page)


def begin(page: Page, prompt: str, length: int) -> None:
    """Have a text written."""
    page.select_option("#max-tokens", str(length))
    page.fill("#prompt", prompt)
    page.click("#go")


def stop_after(page: Page, length: int) -> None:
    """Stop the text when it is longer than that: at once, however busy the machine is."""
    page.evaluate(_STOP_AFTER, length)
    at_rest(page)


def text_of(page: Page) -> str:
    """All that is shown, as it was written."""
    return str(page.evaluate("document.querySelector('#text').textContent"))


def session_of(page: Page) -> str:
    """The id of the session that is open."""
    return str(page.evaluate("localStorage.getItem('lstm-serve.open')"))


def kept(host: Host, page: Page) -> str:
    """What the server has of the session that is open."""
    answer = httpx.get(f"{host.url}sessions/{session_of(page)}/log?limit=100", verify=PLAIN)
    return "".join(turn["prompt"] + turn["text"] for turn in answer.json()["turns"])
