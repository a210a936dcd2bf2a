"""The typed client against a real server, over connections that break."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.client import (
    AsyncClient,
    Client,
    ConnectionFailed,
    Overloaded,
    Retries,
    StreamBroken,
)
from tests.e2e.cutting_proxy import cutting_proxy
from tests.e2e.running_server import REPOSITORY, RunningServer, running_server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

SOON = Retries(most=4, first_pause_s=0.01, longest_pause_s=0.01)
HEAD = 600
"""Bytes: more than the head of an answer, less than a long stream."""


@pytest.fixture
def direct(server: RunningServer) -> Iterator[Client]:
    """A client with nothing in between."""
    with Client(server.url) as client:
        yield client


@pytest.mark.parametrize("cuts", [(0,), (60,), (HEAD,), (HEAD, 0, HEAD, HEAD)])
def test_a_stream_that_is_cut_goes_on(server: RunningServer, direct: Client, cuts: tuple[int, ...]):
    """Before its head, in it, and in mid-stream, several times: nothing twice, no gap."""
    whole = direct.generate("Once ", max_tokens=1500, seed=4)
    with cutting_proxy(server.port, *cuts) as proxy, Client(proxy.url, retries=SOON) as client:
        stream = client.stream("Once ", max_tokens=1500, seed=4)
        num_tokens = sum(event.num_tokens for event in stream)
        answer = stream.answer()
        num_connections = proxy.num_connections

    assert (whole.text, 1500) == (answer.text, num_tokens)
    assert len(cuts) + 1 == num_connections


def test_a_turn_that_is_cut_is_had_once(server: RunningServer, direct: Client):
    """Whole and streamed; the session has each turn once."""
    whole = direct.generate("Once ", max_tokens=200, seed=4).text
    origin = direct.create_session("Once ", seed=4)
    with (
        cutting_proxy(server.port, HEAD, HEAD, 0) as proxy,
        Client(proxy.url, retries=SOON, headers={"Connection": "close"}) as client,
    ):
        session = client.session(origin.id)
        first = session.stream(max_tokens=100).answer().text
        second = session.generate(max_tokens=100).text

    assert whole == first + second
    assert 2 == origin.refresh().version
    assert [None, "length", "length"] == [
        turn.finish_reason if turn.num_written else None for turn in origin.log()
    ]


def test_what_cannot_go_on_says_so(server: RunningServer, direct: Client):
    """A turn that has no name; and a server that is gone."""
    origin = direct.create_session("Once ", seed=4)
    with (
        cutting_proxy(server.port, 10_000, HEAD) as proxy,
        Client(proxy.url, retries=SOON, headers={"Connection": "close"}) as client,
    ):
        session = client.session(origin.id)
        with pytest.raises(StreamBroken):
            session.stream(max_tokens=3000, receipt=True).answer()
        url = proxy.url
    with Client(url, retries=SOON) as client, pytest.raises(ConnectionFailed):
        client.generate("a")


async def test_it_goes_on_with_await(server: RunningServer, direct: Client):
    """As without."""
    whole = direct.generate("Once ", max_tokens=1500, seed=4)
    with cutting_proxy(server.port, HEAD, HEAD + 900) as proxy:
        async with AsyncClient(proxy.url, retries=SOON) as client:
            assert (
                whole.text == (await client.stream("Once ", max_tokens=1500, seed=4).answer()).text
            )


def test_a_full_server_is_asked_again(store: Path, tmp_path: Path):
    """429 until there is room; without retries it is an error at once."""
    slow: dict[str, Any] = {"max_rows": 1, "max_waiting_requests": 3, "max_burst_steps": 1}
    with running_server(store, tmp_path, **slow) as server:
        busy = []
        for num_waiting in range(4):
            busy.append(server.send({"prompt": "a", "max_tokens": 16_000}))
            server.wait_until(running=1, waiting=num_waiting)
        with Client(server.url, retries=Retries(most=0)) as client:
            with pytest.raises(Overloaded) as caught:
                client.generate("a", max_tokens=1)
            assert caught.value.retry_after_s
        with Client(server.url) as client:
            waits: list[float] = []

            def leave(seconds: float) -> None:
                waits.append(seconds)
                for connection in busy:
                    connection.close()
                server.wait_until(running=0, waiting=0)

            client._sender.sleep = leave
            assert 1 == client.generate("a", max_tokens=1).usage.completion_tokens
            assert len(waits) == 1


def test_it_works_under_its_own_name(server: RunningServer, tmp_path: Path):
    """As `lstm_serve_client`, beside httpx and nothing of the server."""
    shutil.copytree(REPOSITORY / "service" / "client", tmp_path / "lstm_serve_client")
    program = (
        "import sys\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "from lstm_serve_client import Client\n"
        f"with Client({server.url!r}) as client:\n"
        "    answer = client.stream('Once ', max_tokens=5, seed=1).answer()\n"
        "print(answer.usage.completion_tokens)\n"
        "print(sorted({'service', 'pydantic', 'numpy', 'fastapi'} & sys.modules.keys()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ("5\n[]\n", "") == (done.stdout, done.stderr)
