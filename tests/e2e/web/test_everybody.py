"""The page is for everybody: by keyboard, on a phone, for screen readers, in light and in dark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.e2e.running_server import PLAIN
from tests.e2e.web.conftest import Host, at_rest
from tests.e2e.web.writing import session_of, text_of, write
from tests.waiting import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

ANIMATIONS_MS = 300


def violations(page: Page) -> list[str]:
    """What axe-core finds; it comes with the package axe-playwright-python (MPL-2.0)."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe")
    page.wait_for_timeout(ANIMATIONS_MS)
    found = axe.Axe().run(page).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_shut_out(page: Page, scheme: str):
    """No violation that can be found by a program, in any panel."""
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    assert [] == violations(page)
    write(page, "ROMEO:\n")
    page.locator("#text .tok").nth(20).click()
    page.wait_for_selector("#peek.pinned")
    assert [] == violations(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Compare").click()
    assert [] == violations(page)
    page.get_by_role("button", name="Close").click()
    page.click("#tab-read")
    page.click("#read-example")
    page.wait_for_selector(".curve")
    assert [] == violations(page)
    page.click("#tab-live")
    wait_for(lambda: page.inner_text("#gauge-memory").endswith("MB"), "figures")
    assert [] == violations(page)


def test_by_keyboard_alone(page: Page):
    """Write, walk to a character, choose another one, walk through the tree, change the panel."""
    page.focus("#prompt")
    page.keyboard.type("ROMEO:")
    page.keyboard.press("Enter")
    page.select_option("#max-tokens", "100")
    page.keyboard.press("Control+Enter")
    wait_for(lambda: len(text_of(page)) == 107, "a text")
    at_rest(page)
    first = session_of(page)

    page.focus("#text")
    page.keyboard.press("End")
    page.keyboard.press("ArrowUp")
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    label = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert "bits" in label
    page.keyboard.press("Enter")
    page.wait_for_selector("#peek.pinned")
    page.keyboard.press("Escape")
    assert label == page.evaluate("document.activeElement.getAttribute('aria-label')")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    wait_for(lambda: session_of(page) != first, "a branch")
    at_rest(page)

    page.wait_for_selector("#tree .branch")
    page.focus("#tree [role=treeitem][tabindex='0']")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    wait_for(lambda: session_of(page) == first, "the text from before")
    page.focus("#tab-write")
    page.keyboard.press("ArrowRight")
    assert page.is_visible("#read")
    assert "tab-read" == page.evaluate("document.activeElement.id")


def test_on_a_phone(host: Host, browser: Browser):
    """Nothing is wider than the window; a tap is a click."""
    context = browser.new_context(
        viewport={"width": 360, "height": 640}, has_touch=True, is_mobile=True, locale="en-US"
    )
    page = context.new_page()
    page.goto(host.url)
    at_rest(page)
    write(page, "ROMEO:\n")
    page.locator("#text .tok").nth(20).tap()
    page.wait_for_selector("#peek.pinned")
    box = page.locator("#peek").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360
    for tab in ("write", "read", "live"):
        page.locator(f"#tab-{tab}").tap()
        assert 360 >= page.evaluate("document.documentElement.scrollWidth"), tab
    context.close()


def test_a_long_text_stays_light(host: Host, page: Page):
    """Of 20,000 characters the browser lays out those in sight; any of them can be asked about."""
    sample = "But, soft! what light through yonder window breaks?\n" * 385
    with httpx.Client(base_url=host.url, timeout=60, verify=PLAIN) as client:
        session = client.post("sessions", json={"prompt": sample[:18_900]}).json()["id"]
        client.post(f"sessions/{session}/append", json={"text": sample[18_900:]})
    page.evaluate("id => localStorage.setItem('lstm-serve.open', id)", session)
    page.reload()
    at_rest(page)
    wait_for(lambda: page.locator("#text .tok").count() == len(sample), "all characters")
    blocks = page.locator("#text .block")
    assert blocks.count() > 20
    assert "auto" == blocks.first.evaluate("each => getComputedStyle(each).contentVisibility")

    page.locator("#text .tok").nth(19_000).click()
    page.wait_for_selector("#peek.pinned")
    assert "%" in page.inner_text("#peek")
    page.select_option("#max-tokens", "100")
    page.locator("#text .tok").nth(19_000).click()
    page.locator("#peek li button").first.click()
    wait_for(lambda: len(text_of(page)) == 19_101, "a branch")
    at_rest(page)
    assert session_of(page) != session
    assert text_of(page).startswith(sample[:19_000])
