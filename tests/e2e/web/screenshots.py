"""Pictures of the page for the documents.

    python -m tests.e2e.web.screenshots docs/page

In two themes and three sizes, of a server that is started for it, and as a film of a stream, a fork
and a unit at work (`film.gif`). They look best with a serif and a Chinese font installed
(`fonts-noto-core`, `fonts-noto-cjk`).
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
from tests.e2e.web.film import Film
from tests.waiting import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SIZES = {"small": (860, 600), "wide": (1280, 800), "tablet": (834, 1112), "phone": (390, 844)}
THEMES = ("light", "dark")
COLOURS = 160


def main(folder: Path) -> None:
    """Make them all."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as kept, sync_playwright() as playwright:
        host = Host(Path(kept))
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        for size in ("wide", "tablet", "phone"):
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
        page.context.close()
        for size, theme in (("wide", "light"), ("wide", "dark"), ("phone", "light")):
            page = _open(browser, host, size, theme)
            _inside(page)
            page.screenshot(path=folder / f"inside-{size}-{theme}.png")
            page.context.close()
        page = _open(browser, host, "small", "light")
        film = Film(page)
        _play(page, film)
        film.save(folder / "film.gif")
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
    page.select_option("#model", newest(page, "songci"))
    page.locator(".example").nth(1).click()
    wait_for(lambda: page.inner_text("#end") == "∎", "the poem's end")
    at_rest(page)
    page.locator("#text .tok[data-s='2']").nth(3).hover()
    page.wait_for_timeout(800)


def _read(page: Page) -> None:
    page.click("#language")
    page.click("#tab-read")
    page.select_option("#read-beside", newest(page, "names"))
    page.click("#read-example")
    page.wait_for_selector(".curve .line-1")
    page.locator(".curve").hover()
    page.wait_for_timeout(500)


def _live(page: Page) -> None:
    page.click("#tab-write")
    page.select_option("#model", newest(page, "shakespeare"))
    page.click("#tab-live")
    page.click("#crowd")
    wait_for(lambda: page.inner_text("#gauge-running") == "64", "64 texts that run")
    page.wait_for_timeout(3000)


def _inside(page: Page) -> None:
    """A text in the colours of the unit that counts the line, and which others do."""
    page.click("#tab-inside")
    page.fill("#in-text", _a_text(page))
    page.click("#in-go")
    page.wait_for_selector("#in-heat canvas")
    page.select_option("#in-mark", "column")
    page.click("#in-find")
    page.wait_for_selector("#in-units table")
    page.locator("#in-title").evaluate("each => each.scrollIntoView()")
    page.evaluate("scrollBy(0, -24)")
    page.mouse.move(0, 0)
    page.wait_for_timeout(500)


def _a_text(page: Page) -> str:
    """Of the model's own, the same each time."""
    asked = {"prompt": "ROMEO:\n", "max_tokens": 1200, "seed": 3}
    answer = page.request.post(f"{page.url.split('#')[0]}generate", data=asked)
    return "ROMEO:\n" + str(answer.json()["text"])


def _play(page: Page, film: Film) -> None:
    """A stream; a character where it could have gone another way; that way; a unit at work."""
    page.select_option("#max-tokens", "400")
    page.fill("#prompt", "ROMEO:\n")
    film.take()
    page.click("#go")
    film.roll(8, "#text[aria-busy=false]")
    at_rest(page)
    page.evaluate("scrollTo(0, 0)")
    _point(page, 12)
    film.take(1800)
    page.locator("#peek li button").nth(1).click()
    page.mouse.move(855, 300)
    film.roll(8, "#text[aria-busy=false]")
    at_rest(page)
    page.evaluate("scrollTo(0, 0)")
    film.take(1500)
    _inside(page)
    film.take(2500)
    page.get_by_role("button", name="a name is written").click()
    page.wait_for_selector("#in-title >> text=layer1.c.24")
    page.wait_for_timeout(500)
    film.take(2500)


def newest(page: Page, name: str) -> str:
    """The version of a model that is served."""
    ids = page.locator("#model option").evaluate_all("all => all.map((each) => each.value)")
    return str(next(each for each in ids if each.startswith(f"{name}@")))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
