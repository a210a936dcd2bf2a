"""How smooth the page stays while 20,000 characters stream in.

    python -m benchmarks.page

Frame times and blocked time, by the browser's own clock, in a real Chromium without a screen.
"""

from __future__ import annotations

import os
import statistics
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import sync_playwright

from tests.e2e.web.conftest import CHROMIUM, Host, at_rest

LENGTH = 10_000
TURNS = 2
_WATCH = """() => {
  window.frames_ms = [];
  window.tasks_ms = [];
  let last = performance.now();
  const frame = (now) => {
    window.frames_ms.push(now - last);
    last = now;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  const note = (list) => list.getEntries().forEach((e) => window.tasks_ms.push(e.duration));
  new PerformanceObserver(note).observe({ type: "longtask" });
}"""


def main() -> None:
    """Print one line for each turn."""
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        host = Host(Path(folder))
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(host.url)
        at_rest(page)
        page.select_option("#max-tokens", str(LENGTH))
        page.fill("#prompt", "ROMEO:\n")
        for turn in range(TURNS):
            page.evaluate(_WATCH)
            page.click("#go")
            page.wait_for_selector("#stop")
            page.wait_for_selector("#stop", state="hidden", timeout=120_000)
            frames_ms = page.evaluate("window.frames_ms")
            tasks_ms = page.evaluate("window.tasks_ms")
            characters = page.locator("#text .tok").count()
            hundredths = statistics.quantiles(frames_ms, n=100)
            print(
                f"turn {turn + 1}: {characters} characters on the page; {len(frames_ms)} frames, "
                f"p50 {hundredths[49]:.1f} ms, p99 {hundredths[98]:.1f} ms, "
                f"longest {max(frames_ms):.0f} ms; {len(tasks_ms)} tasks above 50 ms, "
                f"longest {max(tasks_ms, default=0):.0f} ms"
            )
        browser.close()
        host.kill()


if __name__ == "__main__":
    main()
