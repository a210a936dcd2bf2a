"""The panel that looks inside of a model: colours, marks, the heat map, and a unit that is held."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.e2e.running_server import PLAIN, running_server
from tests.e2e.web.conftest import Host, at_rest
from tests.e2e.web.test_everybody import violations
from tests.tiny_model import publish
from tests.waiting import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

TEXT = (
    "ROMEO:\nI do not know the man.\n\nJULIET:\nWhat shall I say to him?\nMy lord, good night.\n"
    * 3
)
LINE = "layer0.c.378"
CHANGED_PIXELS = """() => {
  const canvas = document.querySelector("#in-heat canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((value, at) => at % 4 === 3 && value > 60).length;
}"""


def look(page: Page, text: str = TEXT, model: str = "shakespeare@3") -> None:
    """Have a text looked into."""
    page.click("#tab-inside")
    page.select_option("#in-model", model)
    page.fill("#in-text", text)
    page.click("#in-go")
    page.wait_for_selector("#in-heat canvas")


def told(host: Host, name: str, unit: int) -> list[float]:
    """What the server says of a unit."""
    wanted = [{"name": name, "units": [unit]}]
    body = {"text": TEXT, "model": "shakespeare@3", "activations": wanted}
    answer = httpx.post(f"{host.url}inspect", json=body, timeout=60, verify=PLAIN).json()
    return [row[0] for row in answer["activations"][0]["values"]]


def found(page: Page) -> list[str]:
    """The units that are listed, the first one first."""
    page.wait_for_selector("#in-units table")
    return page.locator("#in-units th button").all_inner_texts()


def test_the_text_in_the_colours_of_a_unit(host: Host, page: Page):
    """Each character is as the server's number is; pointed at or walked to, it tells the number."""
    look(page)
    values = told(host, "layer0.c", 378)
    reach = max(map(abs, values))
    shades = page.locator("#in-view .tok").evaluate_all("all => all.map((one) => one.dataset.s)")

    assert LINE == page.inner_text("#in-title")
    assert TEXT == page.evaluate("document.querySelector('#in-view').textContent")
    assert len(values) == len(shades)
    for value, shade in zip(values, shades, strict=True):
        assert abs(int(shade) - 5 * value / reach) <= 0.51
    assert {"-5", "5"} & set(shades)
    page.locator("#in-view .tok").nth(20).hover()
    assert f"{LINE}: {values[20]:.2f}"[:-1] in page.inner_text("#peek")
    page.keyboard.press("Escape")
    page.wait_for_selector("#peek", state="hidden")

    page.select_option("#in-gate", "layer0.f")
    wait_for(lambda: page.inner_text("#in-title") == "layer0.f.378", "the forget gate")
    assert "0.5" in page.inner_text("#in-scale")
    page.fill("#in-unit", "44")
    page.keyboard.press("Enter")
    wait_for(lambda: page.inner_text("#in-title") == "layer0.f.44", "another unit")
    page.get_by_role("button", name="a name is written").click()
    wait_for(lambda: page.inner_text("#in-title") == "layer1.c.24", "a unit that is known")
    page.click("#language")
    assert "正在写人名" in page.inner_text("#in-known")


def test_units_that_react_to_a_rule(page: Page):
    """They are listed with the name of their score; one that is clicked colours the text."""
    look(page)
    page.select_option("#in-mark", "column")
    page.click("#in-find")
    assert LINE in found(page)[:3]
    assert "By Pearson" in page.inner_text("#in-units")
    page.select_option("#in-mark", "speaker")
    page.select_option("#in-score", "mutual_information")
    page.click("#in-find")
    wait_for(lambda: "mutual information (bits)" in page.inner_text("#in-units"), "the score")
    first = found(page)[0]
    page.locator("#in-units th button").first.click()
    wait_for(lambda: page.inner_text("#in-title") == first, "the text in its colours")

    page.select_option("#in-rows", "found")
    wait_for(lambda: page.locator("#in-heat .names span").count() == 12, "rows of what was found")
    page.select_option("#in-rows", "units")
    wait_for(lambda: page.locator("#in-heat canvas").get_attribute("height") == "512", "all units")
    assert page.evaluate(CHANGED_PIXELS) > 1000


def test_by_mouse_and_by_keyboard(page: Page):
    """What is selected is marked, and what is selected next too; then the units are asked for."""
    look(page)
    tokens = page.locator("#in-view .tok")
    first, last = (tokens.nth(n).bounding_box() for n in (0, 5))
    assert first
    assert last
    page.mouse.move(first["x"] + 1, first["y"] + 8)
    page.mouse.down()
    page.mouse.move(last["x"] + last["width"] - 1, last["y"] + 8, steps=4)
    page.mouse.up()
    marked = page.locator("#in-view .marked")
    wait_for(lambda: "".join(marked.all_inner_texts()) == "ROMEO:", "a mark")

    page.focus("#in-go")
    page.keyboard.press("Tab")
    page.focus("#in-view")
    page.keyboard.press("Home")
    for _ in range(31):
        page.keyboard.press("ArrowRight")
    for _ in range(6):
        page.keyboard.press("Shift+ArrowRight")
    wait_for(lambda: "".join(marked.all_inner_texts()) == "ROMEO:JULIET:", "a second mark")
    assert "layer" in str(page.evaluate("document.activeElement.getAttribute('aria-label')"))
    page.focus("#in-find")
    page.keyboard.press("Enter")
    assert 12 == len(found(page))
    assert f"13 of {len(TEXT)} characters" in page.inner_text("#in-units")
    assert "point-biserial correlation" in page.inner_text("#in-units .hint")
    page.click("#in-unmark")
    assert 0 == marked.count()
    page.click("#in-find")
    page.wait_for_selector("#notice >> text=Mark a part of the text first")


def test_a_unit_is_held(page: Page):
    """The same seed with and without: one text is the other up to the first difference."""
    look(page)
    page.fill("#in-value", "6")
    page.click("#in-hold .primary")
    page.wait_for_selector("#in-held .sides")
    free, held = page.locator("#in-held .text").all_inner_texts()
    at = int(page.inner_text("#in-held .hint").split()[3].replace(",", "")) + len("ROMEO:\n")

    assert free[:at] == held[:at]
    assert free[at] != held[at]
    assert [free[at], held[at]] == page.locator("#in-held mark").all_inner_texts()
    assert "layer0.c.378 = 6" in page.inner_text("#in-held")
    page.select_option("#in-gate", "layer0.f")
    wait_for(lambda: page.inner_text("#in-hold-unit") == LINE, "the cell that the gate is for")


def test_the_chinese_model_and_the_shortest(page: Page):
    """Texts of their own are looked into, in the person's language."""
    page.click("#tab-inside")
    page.click("#language")
    for model in ("songci@2", "names@3"):
        page.select_option("#in-model", model)
        page.click("#in-example")
        page.wait_for_selector("#in-heat canvas")
        wait_for(lambda: page.locator("#in-view .tok").count() > 300, "a text of its own")
        page.evaluate("document.querySelector('#in-result').hidden = true")
    assert "layer0.c.181" == page.text_content("#in-title")
    assert "数字母" == page.text_content("#in-known")


def test_what_is_in_the_way(browser: Browser, page: Page, tmp_path: Path):
    """A text that is too long, with what the limit is; a server that holds no units, and why."""
    page.click("#tab-inside")
    page.fill("#in-text", "a" * 9000)
    page.click("#in-go")
    page.wait_for_selector("#notice >> text=at most 8192 tokens can be looked into")
    assert page.is_hidden("#in-result")

    publish(tmp_path / "store")
    with running_server(tmp_path / "store", tmp_path) as server:
        context = browser.new_context(locale="en-US")
        other = context.new_page()
        other.goto(f"{server.url}/#inside")
        at_rest(other)
        other.fill("#in-text", "abc abc")
        other.click("#in-go")
        other.wait_for_selector("#in-heat canvas")
        other.click("#in-hold .primary")
        other.wait_for_selector("#in-held >> text=start it with --max-clamps 8")
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_shut_out(page: Page, scheme: str):
    """No violation that a program can find, with everything open."""
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    look(page)
    page.select_option("#in-mark", "capitals")
    page.click("#in-find")
    found(page)
    page.click("#in-hold .primary")
    page.wait_for_selector("#in-held .sides")
    page.locator("#in-heat summary").click()
    assert 6 == page.locator("#in-heat tbody tr").count()
    page.locator("#in-view .tok").nth(20).hover()

    assert [] == violations(page)


def test_on_a_phone(host: Host, browser: Browser):
    """Nothing is wider than the window; a tap tells the value, and one elsewhere ends it."""
    context = browser.new_context(
        viewport={"width": 360, "height": 640}, has_touch=True, is_mobile=True, locale="en-US"
    )
    page = context.new_page()
    page.goto(host.url)
    at_rest(page)
    look(page)
    page.select_option("#in-mark", "line_end")
    page.click("#in-find")
    found(page)
    assert 360 >= page.evaluate("document.documentElement.scrollWidth")
    page.locator("#in-view .tok").nth(20).tap()
    page.wait_for_selector("#peek:not([hidden])")
    box = page.locator("#peek").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360
    page.locator("#in-title").tap()
    page.wait_for_selector("#peek", state="hidden")
    context.close()
