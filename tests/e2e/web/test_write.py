"""Texts are written in the page, by a real browser from a real server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.web.conftest import Host, at_rest
from tests.e2e.web.writing import begin, kept, stop_after, text_of, write
from tests.waiting import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def test_text_streams(host: Host, page: Page):
    """A prompt, and what the model made of it; the server has the same."""
    text = write(page, "ROMEO:\n")

    assert text.startswith("ROMEO:\n")
    assert 107 == len(text)
    assert kept(host, page) == text
    page.fill("#prompt", "\n\nJULIET:\n")
    page.click("#go")
    wait_for(lambda: len(text_of(page)) == 217, "two turns")
    at_rest(page)
    assert text_of(page).startswith(text + "\n\nJULIET:\n")
    assert kept(host, page) == text_of(page)


def test_a_text_that_was_stopped_ends_where_it_was(host: Host, page: Page):
    """Though a turn that a client leaves is as if it had never been."""
    begin(page, "KING RICHARD III:\n", 10_000)
    stop_after(page, 300)

    text = text_of(page)
    assert 300 < len(text) < 10_000
    assert kept(host, page) == text


def test_every_character_has_its_probability(page: Page):
    """What was read as well; and the chart says what the options make of them."""
    write(page, "ROMEO:\n")

    wait_for(
        lambda: page.locator("#text .tok:not([data-s])").count() == 1, "figures of all but one"
    )
    assert page.locator("#chart .bar-row").count() == 11
    assert "Most probable next" in str(page.get_attribute("#chart", "aria-label"))
    page.locator("#option-temperature").fill("0")
    assert "100 %" == page.locator("#chart .figure").first.inner_text()
    page.locator("#option-temperature").fill("1")
    page.locator("#option-top_k").fill("2")
    assert 2 == page.locator("#chart .bar-row:not(.gone)").count()


def test_a_chinese_model_and_a_chinese_page(host: Host, page: Page):
    """A poem ends by itself; the next one is a new text."""
    page.click("#language")
    assert "zh-CN" == page.get_attribute("html", "lang")
    assert page.is_hidden("#notice")
    page.select_option("#model", "songci@2")
    page.locator(".example").first.click()
    wait_for(lambda: page.inner_text("#end") == "∎", "the poem's end")
    at_rest(page)

    assert text_of(page).startswith("玉楼春\n")
    assert kept(host, page) == text_of(page)
    assert "再来一篇" == page.inner_text("#go")
    page.reload()
    at_rest(page)
    assert ("zh-CN", "songci@2") == (page.get_attribute("html", "lang"), page.input_value("#model"))
    wait_for(lambda: text_of(page).startswith("玉楼春\n"), "the poem")


def test_a_page_that_is_loaded_anew_goes_on(host: Host, page: Page):
    """With the text, and in the middle of a turn too."""
    begin(page, "ROMEO:\n", 2000)
    wait_for(lambda: len(text_of(page)) > 100, "some text")
    shown = text_of(page)
    page.reload()
    at_rest(page)
    wait_for(lambda: len(text_of(page)) == 2007, "the whole turn")

    text = text_of(page)
    assert text.startswith(shown)
    assert kept(host, page) == text
    page.reload()
    at_rest(page)
    wait_for(lambda: text_of(page) == text, "the same text")


def test_a_server_that_was_killed_costs_nothing(host: Host, page: Page):
    """`kill -9` in the middle of a text: what is shown stays, and goes on afterwards."""
    begin(page, "JULIET:\n", 10_000)
    wait_for(lambda: len(text_of(page)) > 200, "some text")
    host.kill()
    page.wait_for_selector("#notice")
    notice, shown = page.inner_text("#notice"), text_of(page)
    assert "cannot be reached" in notice
    assert "nothing is lost" in notice
    assert 200 < len(shown) < 10_000
    host.start()
    stop_after(page, len(shown))

    assert page.is_hidden("#notice")
    assert text_of(page).startswith(shown)
    assert kept(host, page) == text_of(page)
