"""Clients that leave, dawdle or flood: their rows are free soon, and neighbours notice nothing."""

from __future__ import annotations

import contextlib
import http.client
import json
import time
from pathlib import Path

import httpx
import pytest

from tests.e2e.running_server import PLAIN, RunningServer, running_server
from tests.waiting import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

ENDLESS = {"prompt": "a", "max_tokens": 16_000, "seed": 1}
FREE = {"running": 0, "waiting": 0, "parked": 0}


@pytest.mark.parametrize("stream", [True, False])
def test_who_leaves_while_it_writes_frees_its_row(server: RunningServer, stream: bool):
    """The row is free at the next burst, long before the text would have ended."""
    connection = server.send(ENDLESS | {"stream": stream})
    server.wait_until(running=1)
    connection.close()

    server.wait_until(**FREE)


@pytest.mark.parametrize("stream", [True, False])
def test_who_leaves_while_its_prompt_is_read_frees_its_row(server: RunningServer, stream: bool):
    """Reading is not finished first."""
    connection = server.send({"prompt": "b" * 65_000, "max_tokens": 16_000, "stream": stream})
    server.wait_until(running=1)
    connection.close()

    server.wait_until(**FREE)


@pytest.mark.parametrize("stream", [True, False])
def test_who_leaves_while_queued_is_forgotten(store: Path, tmp_path: Path, stream: bool):
    """It never gets a row, and those before it go on."""
    with running_server(store, tmp_path, max_rows=1) as server:
        first = server.send(ENDLESS | {"stream": False})
        server.wait_until(running=1)
        queued = server.send(ENDLESS | {"stream": stream})
        server.wait_until(waiting=1)
        queued.close()
        server.wait_until(running=1, waiting=0)
        first.close()
        server.wait_until(**FREE)


def test_a_turn_that_was_left_never_happened(server: RunningServer):
    """The session is what it was before, and its next turn can begin at once."""
    with server.client() as client:
        session = client.post("/sessions", json={"prompt": "Once ", "seed": 5}).json()
        expected = client.post("/generate", json={"prompt": "Once ", "seed": 5, "max_tokens": 40})
        connection = server.send(ENDLESS | {"session": session["id"], "stream": True})
        connection.recv(1)
        busy = client.post("/generate", json={"session": session["id"], "max_tokens": 1})
        connection.close()
        server.wait_until(**FREE)
        turn = wait_for(lambda: next_turn(client, session["id"]), "the session to be free")

    assert (409, "session_busy") == (busy.status_code, busy.json()["error"]["code"])
    assert turn is not None
    assert expected.json()["text"] == turn.json()["text"]


def next_turn(client: httpx.Client, session_id: str) -> httpx.Response | None:
    """The turn, unless another one is still running."""
    turn = client.post("/generate", json={"session": session_id, "max_tokens": 40})
    return None if turn.status_code == 409 else turn


# A kilobyte an event: the system's own buffers swallow megabytes before a reader counts as slow.
VERBOSE = {"prompt": "a", "seed": 9, "stream_every": 1, "logprobs": 10, "stream": True}


def test_a_slow_reader_is_parked_and_gets_its_whole_text(server: RunningServer):
    """Others go on meanwhile; nothing of its text is lost."""
    body = VERBOSE | {"max_tokens": 16_000}
    with server.client() as client, client.stream("POST", "/generate", json=body) as slow:
        server.wait_until(parked=1)
        neighbour = httpx.post(
            f"{server.url}/generate", json={"max_tokens": 50}, timeout=30, verify=PLAIN
        )
        assert 200 == neighbour.status_code
        # Not at once: the system's buffers may have grown, and taken a little more of it.
        server.wait_until(parked=1)
        lines = [line for line in slow.iter_lines() if line.startswith("data: ")]
    expected = httpx.post(
        f"{server.url}/generate",
        json={"prompt": "a", "seed": 9, "max_tokens": 16_000},
        timeout=60,
        verify=PLAIN,
    )

    events = [json.loads(line.removeprefix("data: ")) for line in lines]
    assert expected.json()["text"] == "".join(event["text"] for event in events)


def test_a_crowd_of_slow_readers_costs_little(store: Path, tmp_path: Path):
    """They read nothing at all: their rows are parked, and memory stays where it is."""
    num_readers = 8
    with running_server(store, tmp_path) as server, server.client() as client:
        client.post("/generate", json={"max_tokens": 50})
        before = server.resident_bytes()
        with contextlib.ExitStack() as stack:
            for _ in range(num_readers):
                body = VERBOSE | {"max_tokens": 16_000}
                stack.enter_context(contextlib.closing(server.send(body)))
            server.wait_until(parked=num_readers, running=0)
            # Of 16,000 kilobytes of events, each has its buffer and 1,024 tokens here at most.
            assert server.resident_bytes() - before < num_readers * 2_000_000
            assert 200 == client.post("/generate", json={"max_tokens": 5}).status_code
        server.wait_until(**FREE)


def test_a_body_that_never_comes_is_not_waited_for(server: RunningServer):
    """408 after the time for a body, whatever trickles in."""
    with contextlib.closing(server.connect()) as connection:
        connection.sendall(
            b"POST /generate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 1000\r\n\r\n"
        )
        for _ in range(4):
            connection.sendall(b" ")
            time.sleep(0.1)

        assert connection.recv(1000).startswith(b"HTTP/1.1 408")


_TEXT_HEAD = (
    "POST /sessions/{}/append HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
    "Content-Length: 1000000\r\n\r\n"
)


def test_a_plain_text_that_never_comes_is_not_waited_for(server: RunningServer):
    """Whatever trickles in: each 256 Ki characters have the time of a body."""
    with server.client() as client, contextlib.closing(server.connect()) as connection:
        session = client.post("/sessions", json={}).json()["id"]
        connection.sendall(_TEXT_HEAD.format(session).encode())
        for _ in range(7):  # 2.1 s of the 2
            connection.sendall(b"a")
            time.sleep(0.3)

        connection.settimeout(1)
        assert connection.recv(1000).startswith(b"HTTP/1.1 408")


def test_no_plain_text_is_waited_for_that_nobody_will_read(server: RunningServer):
    """An unknown session is one before anything of the text is here."""
    with contextlib.closing(server.connect()) as connection:
        connection.sendall(_TEXT_HEAD.format("s_none").encode())

        connection.settimeout(1)
        assert connection.recv(1000).startswith(b"HTTP/1.1 404")


def test_a_full_server_says_so_and_stays_healthy(store: Path, tmp_path: Path):
    """429 with Retry-After for what does not fit; overload is never unhealthy."""
    with running_server(store, tmp_path, max_rows=1, max_waiting_requests=2) as server:
        crowd = [server.send(ENDLESS)]
        server.wait_until(running=1)
        crowd += [server.send(ENDLESS) for _ in range(2)]
        server.wait_until(waiting=2)
        with server.client() as client:
            refused = client.post("/generate", json={"max_tokens": 1})
            assert 429 == refused.status_code
            assert "overloaded" == refused.json()["error"]["code"]
            assert int(refused.headers["retry-after"]) >= 1
            assert 200 == client.get("/health/live").status_code
            assert 200 == client.get("/health/ready").status_code
        for connection in crowd:
            connection.close()
        server.wait_until(**FREE)


@pytest.mark.parametrize("stream", [True, False])
def test_a_deadline_ends_a_request(server: RunningServer, stream: bool):
    """504, or an error event where the status was sent already."""
    with server.client() as client:
        body = ENDLESS | {"timeout_s": 0.1, "stream": stream}
        response = client.post("/generate", json=body)

    if stream:
        assert "event: error" in response.text
        assert '"code":"timeout"' in response.text
    else:
        assert (504, "timeout") == (response.status_code, response.json()["error"]["code"])


def refusals(server: RunningServer) -> int:
    """How many bodies the server has refused for their size, by its log."""
    lines = server.log.read_text(encoding="utf-8").splitlines()
    return sum(json.loads(line).get("status") == 413 for line in lines if line.startswith("{"))


def test_a_body_is_measured_before_it_is_read(server: RunningServer):
    """By its declared length, and by what comes where none is declared."""

    def endless():
        for _ in range(40):
            yield b"a" * 65_536

    limit, before = 1 << 20, refusals(server)
    with server.client() as client:
        exact = b'{"max_tokens":1,"prompt":"a"' + b" " * (limit - 29) + b"}"
        headers = {"content-type": "application/json"}
        assert limit == len(exact)
        assert 200 == client.post("/generate", content=exact, headers=headers).status_code
        over = client.post("/generate", content=exact + b" ", headers=headers)
        assert (413, "body_too_large") == (over.status_code, over.json()["error"]["code"])
        # The connection may be cut before the answer could be read: the server's log has it too.
        with contextlib.suppress(httpx.TransportError):
            client.post("/generate", content=endless(), headers=headers)
    wait_for(lambda: refusals(server) == before + 2, "two refusals in the log")


def test_an_idle_connection_stays_open(server: RunningServer):
    """Pools of clients keep them for 5 s and more; a request must not meet a closing one."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.connect()
    first = connection.sock
    for pause_s in (6, 0):
        connection.request("GET", "/health/live")
        response = connection.getresponse()
        response.read()
        assert 200 == response.status
        time.sleep(pause_s)
    assert connection.sock is first
    connection.close()
