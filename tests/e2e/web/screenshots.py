"""Pictures of the page for the documents.

    python -m tests.e2e.web.screenshots docs/page

In two themes and three sizes, of a server that is started for it. They look best with a serif and a
Chinese font installed (`fonts-noto-core`, `fonts-noto-cjk`).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.e2e.web.conftest import CHROMIUM, Host, at_rest
from tests.waiting import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SIZES = {"wide": (1280, 800), "tablet": (834, 1112), "phone": (390, 844)}
THEMES = ("light", "dark")
COLOURS = 160


def main(folder: Path) -> None:
    """Make them all."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as kept, sync_playwright() as playwright:
        host = Host(Path(kept))
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        for size in SIZES:
            for theme in THEMES:
                page = _open(browser, host, size, theme)
                _write(page)
                page.screenshot(path=folder / f"write-{size}-{theme}.png")
                page.context.close()
        page = _open(browser, host, "wide", "light")
        _songci(page)
        page.screenshot(path=folder / "songci.png")
        _read(page)
        page.screenshot(path=folder / "read.png")
        _live(page)
        page.screenshot(path=folder / "live.png")
        browser.close()
        host.kill()
    for picture in folder.glob("*.png"):
        Image.open(picture).convert("RGB").quantize(COLOURS).save(picture, optimize=True)


def _open(browser: Browser, host: Host, size: str, theme: str) -> Page:
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
        locale="en-US",
    )
    page = context.new_page()
    page.goto(host.url)
    at_rest(page)
    return page


def _write(page: Page) -> None:
    """A text with a branch, and what else could have stood at one of its characters."""
    page.fill("#prompt", "ROMEO:\n")
    page.click("#go")
    page.wait_for_selector("#text .tok:not(.read)", state="attached")
    at_rest(page)
    _point(page, 20)
    page.locator("#peek li button").first.click()
    page.wait_for_selector("#tree .branch")
    at_rest(page)
    _point(page, 8)
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(800)


def _point(page: Page, number: int) -> None:
    """At one of those that the model was not sure of."""
    page.locator("#text .tok[data-s='2']:not(.read)").nth(number).click()
    page.wait_for_selector("#peek.pinned")


def _songci(page: Page) -> None:
    page.click("#language")
    page.select_option("#model", "songci@2")
    page.locator(".example").nth(1).click()
    wait_for(lambda: page.inner_text("#end") == "∎", "the poem's end")
    at_rest(page)
    page.locator("#text .tok[data-s='2']").nth(3).hover()
    page.wait_for_timeout(800)


def _read(page: Page) -> None:
    page.click("#language")
    page.click("#tab-read")
    page.select_option("#read-beside", "names@3")
    page.click("#read-example")
    page.wait_for_selector(".curve .line-1")
    page.locator(".curve").hover()
    page.wait_for_timeout(500)


def _live(page: Page) -> None:
    page.click("#tab-write")
    page.select_option("#model", "shakespeare@3")
    page.click("#tab-live")
    page.click("#crowd")
    wait_for(lambda: page.inner_text("#gauge-running") == "64", "64 texts that run")
    page.wait_for_timeout(3000)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
