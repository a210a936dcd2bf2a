"""An engine that dies or hangs: clients hear of it on time, and the process ends."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.running_server import REPOSITORY, RunningServer, running_server
from tests.waiting import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.fixture
def server(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningServer]:
    """A server whose engine does what the files in `tmp_path` say."""
    # This checkout before what is installed: the hook imports the service before the program does.
    folders = (REPOSITORY / "tests" / "hooks", REPOSITORY)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, folders)))
    monkeypatch.setenv("LSTM_TEST_HOOKS", str(tmp_path))
    with running_server(store, tmp_path, hang_timeout_s=2, heartbeat_timeout_s=0.7) as server:
        yield server


@pytest.fixture(autouse=True)
def _every_row_is_free_in_the_end() -> None:
    """Not of a server that has ended."""


def _ends_with(server: RunningServer, status: int) -> None:
    wait_for(lambda: server.process.poll() is not None, "the server's end", timeout_s=60)
    assert status == server.process.returncode
    assert "to be started again" in server.log.read_text(encoding="utf-8")


def test_a_dead_engine_ends_the_process(server: RunningServer, tmp_path: Path):
    """With status 1, after its streams were told."""
    with server.client() as client, ThreadPoolExecutor(1) as pool:
        text = pool.submit(client.post, "/generate", json={"max_tokens": 16_000, "seed": 1})
        server.wait_until(running=1)
        (tmp_path / "die").touch()
        answer = text.result()

    assert (500, "engine_failed") == (answer.status_code, answer.json()["error"]["code"])
    _ends_with(server, 1)


def test_a_hung_engine_is_answered_for_on_time_and_ends_the_process(
    server: RunningServer, tmp_path: Path
):
    """The event loop says 504; then the engine counts as dead."""
    (tmp_path / "hang").touch()
    with server.client() as client:
        started_s = time.monotonic()
        answer = client.post("/generate", json={"max_tokens": 5, "timeout_s": 0.5})
        stream = client.post("/generate", json={"max_tokens": 5, "timeout_s": 0.5, "stream": True})
        waited_s = time.monotonic() - started_s

    assert [(504, "timeout")] * 2 == [
        (a.status_code, a.json()["error"]["code"]) for a in (answer, stream)
    ]
    assert 1.0 <= waited_s
    _ends_with(server, 1)
