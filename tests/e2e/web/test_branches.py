"""Texts go another way: by a character, a branch, a rewind, another seed; and are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.e2e.running_server import PLAIN
from tests.e2e.web.conftest import Host, at_rest
from tests.e2e.web.writing import begin, kept, session_of, text_of, write
from tests.waiting import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


def point(page: Page, index: int) -> None:
    """Click a character."""
    token = page.locator("#text .tok").nth(index)
    if "end" in (token.get_attribute("class") or "").split():  # of a line, and of no width
        token.dispatch_event("click")
    else:
        token.click()
    page.wait_for_selector("#peek.pinned")


def branches(page: Page) -> int:
    """Of the text that is open, as the tree has them."""
    return page.locator("#tree .branch").count()


def test_another_character_is_chosen(host: Host, page: Page):
    """The text goes on from there with it, in a branch; the text from before is still there."""
    text = write(page, "ROMEO:\n")
    first = session_of(page)

    page.locator("#text .tok").nth(30).hover()
    assert "%" in page.inner_text("#peek")
    point(page, 30)
    choice = page.locator("#peek li button").first
    wanted = choice.locator("b").inner_text().replace("␣", " ").replace("↵", "\n")
    choice.click()
    wait_for(lambda: len(text_of(page)) > 40 and session_of(page) != first, "a branch")
    at_rest(page)

    branch = text_of(page)
    assert branch.startswith(text[:30] + wanted)
    assert branch[30] != text[30]
    assert 131 == len(branch) == len(kept(host, page))
    before = httpx.get(f"{host.url}sessions/{first}/log", verify=PLAIN).json()["turns"]
    assert text == "".join(turn["prompt"] + turn["text"] for turn in before)
    wait_for(lambda: branches(page) == 1, "a branch in the tree")


def test_a_branch_and_a_rewind(host: Host, page: Page):
    """At any character, in what was read too."""
    text = write(page, "First Citizen:\n")
    first = session_of(page)
    point(page, 50)
    page.click("text=Branch here")
    wait_for(lambda: session_of(page) != first, "a branch")
    wait_for(lambda: text_of(page) == text[:50], "the text until there")
    assert kept(host, page) == text[:50]

    point(page, 6)
    page.click("text=Rewind to here")
    wait_for(lambda: text_of(page) == "First ", "the text until there")
    wait_for(lambda: kept(host, page) == "First ", "a session that was rewound")


def test_the_last_part_with_another_seed(host: Host, page: Page):
    """In its place."""
    text = write(page, "JULIET:\n")

    page.click("#again")
    wait_for(lambda: text_of(page) != text and len(text_of(page)) == len(text), "another text")
    at_rest(page)

    assert text_of(page).startswith("JULIET:\n")
    assert kept(host, page) == text_of(page)


def test_one_of_three_ways_is_kept(host: Host, page: Page):
    """The two others are forgotten."""
    text = write(page, "KING HENRY:\n")
    page.click("#several")
    keep = page.get_by_role("button", name="Keep this one")
    wait_for(lambda: keep.count() == 3 and keep.nth(2).is_enabled(), "three texts")
    third = page.locator(".variant .text").nth(2).inner_text()

    keep.nth(2).click()
    wait_for(lambda: len(text_of(page)) == len(text) + 100, "the text that was kept")

    assert text_of(page) == text + third == kept(host, page)
    wait_for(lambda: branches(page) == 1, "the text and its branch")


def test_branches_are_named_compared_and_deleted(host: Host, page: Page):
    """By the buttons below the tree."""
    write(page, "LADY ANNE:\n")
    first = session_of(page)
    point(page, 40)
    page.locator("#peek li button").first.click()
    wait_for(lambda: session_of(page) != first, "a branch")
    at_rest(page)
    page.get_by_role("button", name="Name").click()
    page.fill("#answer", "the other way")
    page.keyboard.press("Enter")
    page.wait_for_selector("#tree >> text=the other way")

    page.get_by_role("button", name="Compare").click()
    shared = page.locator("#comparison .hint").first
    assert "They share 40 tokens" in shared.inner_text()
    assert 2 == page.locator("#comparison .sides article").count()
    page.get_by_role("button", name="Close").click()

    second = session_of(page)
    page.get_by_role("button", name="Delete").click()
    wait_for(lambda: branches(page) == 0, "the text without it")
    assert 410 == httpx.get(f"{host.url}sessions/{second}", verify=PLAIN).status_code


def test_texts_are_taken_along(host: Host, page: Page):
    """As text, as a transcript, as a capsule that comes back."""
    text = write(page, "HAMLET:\n")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save text").click()
    assert text == saved.value.path().read_text(encoding="utf-8")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Transcript").click()
    assert '"HAMLET:\\n"' in saved.value.path().read_text(encoding="utf-8")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Capsule", exact=True).click()

    capsule = saved.value.path()
    before = session_of(page)
    page.set_input_files("#import", str(capsule))
    wait_for(lambda: session_of(page) != before, "the session of the capsule")
    at_rest(page)
    begin(page, "", 100)
    wait_for(lambda: len(text_of(page)) >= 100, "a text that goes on")
    at_rest(page)
