"""A browser, and a server of the bundled models; all tests of the page share both."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.e2e.running_server import PLAIN, REPOSITORY, RunningServer, free_port, running_server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CAPSULE_KEY = "test:" + "A" * 43 + "="
WAIT_MS = 30_000


class Host:
    """A server that can be killed and started again, on the same port with the same sessions."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._running = ExitStack()
        self.start()

    @property
    def url(self) -> str:
        """Of the page."""
        return f"{self.server.url}/"

    def start(self) -> None:
        """Begin, with what is there of sessions."""
        self.server: RunningServer = self._running.enter_context(
            running_server(
                REPOSITORY / "model_store",
                self._folder,
                port=self._port,
                session_store=f"sqlite:///{self._folder / 'sessions.sqlite3'}",
                capsule_keys=CAPSULE_KEY,
                max_clamps=8,
            )
        )

    def kill(self) -> None:
        """`kill -9`."""
        self._running.close()


@pytest.fixture(scope="package")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """One for all tests."""
    host = Host(tmp_path_factory.mktemp("web"))
    yield host
    host.kill()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A real one."""
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright: make test")
    if CHROMIUM is None:
        pytest.skip("needs Chromium: make system-packages")
    with api.sync_playwright() as playwright:
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A person's own storage."""
    context = browser.new_context(
        locale="en-US", viewport={"width": 1280, "height": 800}, accept_downloads=True
    )
    context.set_default_timeout(WAIT_MS)
    yield context
    context.close()


@pytest.fixture
def page(host: Host, context: BrowserContext) -> Iterator[Page]:
    """The page, at rest; in the end no script of it has failed."""
    page = context.new_page()
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.on("console", lambda said: failures.append(said.text) if _is_refusal(said.text) else None)
    page.goto(host.url)
    at_rest(page)
    yield page
    assert [] == failures
    _forget_sessions(host)


def at_rest(page: Page) -> None:
    """Wait until the page has loaded and nothing is being written."""
    page.wait_for_selector("body[data-ready]")
    page.wait_for_selector("#text[aria-busy=false]", state="attached")
    page.wait_for_selector("#stop", state="hidden")


def _forget_sessions(host: Host) -> None:
    """Each test begins with none: to the server all of them are one person."""
    with httpx.Client(base_url=host.url, verify=PLAIN) as client:
        while found := client.get("sessions?limit=100").json()["sessions"]:
            for session in found:
                client.delete(f"sessions/{session['id']}")


def _is_refusal(said: str) -> bool:
    """Whether the browser's policy was in the way of something."""
    return "Content Security Policy" in said or "Trusted" in said
