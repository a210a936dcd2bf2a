"""Sessions outlive the server, however it ends."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.running_server import REPOSITORY, read_stream, running_server
from tests.service.sessions.redis_server import running_redis

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

_STORE = REPOSITORY / "model_store"
_TURN = {"prompt": "\n\nROMEO:", "max_tokens": 60, "stop": ["\n\n"]}
_FOUR = {"Idempotency-Key": "four"}
_LONG = {"prompt": "\n\nJULIET:", "max_tokens": 2000}


@pytest.fixture(params=["sqlite", "redis"])
def session_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Each place that outlives a server."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/sessions.sqlite3"
        return
    with running_redis(tmp_path) as redis:
        yield redis.url


def test_a_session_is_where_it_was_when_the_server_was_killed_in_a_turn(
    tmp_path: Path, session_store: str
) -> None:
    """Three turns, and kill -9 in the fourth: asked again, it gives what it would have given."""
    settings: dict[str, Any] = {"models": "shakespeare", "session_store": session_store}
    with running_server(_STORE, tmp_path, **settings) as server, server.client() as client:
        both = [client.post("/sessions", json={"seed": 5}).json()["id"] for _ in range(2)]
        for session in both:
            for _ in range(3):
                assert client.post("/generate", json={**_TURN, "session": session}).is_success
        expected = read_stream(client, {**_LONG, "session": both[0]})
        body = {**_LONG, "session": both[1], "stream": True}
        with client.stream("POST", "/generate", json=body, headers=_FOUR) as response:
            for number, _ in enumerate(response.iter_lines()):
                if number > 6:
                    break
            server.process.kill()
            server.process.wait()

    with running_server(_STORE, tmp_path, **settings) as server, server.client() as client:
        assert [4, 3] == [client.get(f"/sessions/{each}").json()["version"] for each in both]
        body = {**_LONG, "session": both[1]}
        first = until_free(lambda: client.post("/generate", json=body, headers=_FOUR))
        again = [first.json(), client.post("/generate", json=body, headers=_FOUR).json()]
        assert 4 == client.get(f"/sessions/{both[1]}").json()["version"]
    assert "".join(event["text"] for event in expected) == again[0]["text"]
    assert again[0] == again[1]


def until_free(ask: Callable[[], httpx.Response]) -> httpx.Response:
    """Ask again while another server may hold the session: it is not known to be dead at once."""
    while (answer := ask()).status_code == 409:
        assert "session_busy" == answer.json()["error"]["code"]
        time.sleep(float(answer.headers.get("Retry-After", 0.2)))
    return answer


def test_a_turn_that_is_cut_short_by_the_end_of_the_server_is_parked(
    tmp_path: Path, session_store: str
) -> None:
    """What was shown of it is kept; after the start it goes on as if nothing had been.

    The reader is slow, so that no grace period is long enough.
    """
    settings: dict[str, Any] = {
        "models": "shakespeare",
        "grace_period_s": 1.5,
        "session_store": session_store,
        "capsule_keys": "one:" + "A" * 43,
    }
    long = {"prompt": "\n\nJULIET:", "max_tokens": 16000, "stop": ["\x00"]}
    with running_server(_STORE, tmp_path, **settings) as server, server.client() as client:
        one, other = (client.post("/sessions", json={"seed": 5}).json()["id"] for _ in range(2))
        expected = client.post("/generate", json={**long, "session": one}).json()
        slow = {**long, "stream": True, "stream_every": 1, "logprobs": 10}
        turn = {**slow, "session": other}
        free = {**slow, "seed": 5, "return_capsule": True}
        last = []
        with ExitStack() as stack:
            streams = [
                stack.enter_context(client.stream("POST", "/generate", json=body))
                for body in (turn, free)
            ]
            lines = [stream.iter_lines() for stream in streams]
            shown = [[next(each)] for each in lines]
            server.terminate()
            time.sleep(2)
            for each, seen in zip(lines, shown, strict=True):
                seen += list(each)
                events = [json.loads(line[6:]) for line in seen if line.startswith("data: ")]
                last.append((events[-1], "".join(event.get("text", "") for event in events)))
        assert 0 == server.process.wait(timeout=30)

    (parked, text), (sealed, same) = last
    assert ("parked", "parked") == (parked["finish_reason"], sealed["finish_reason"])
    num_left = long["max_tokens"] - parked["usage"]["completion_tokens"]
    assert len(text) == parked["usage"]["completion_tokens"]
    with running_server(_STORE, tmp_path, **settings) as server, server.client() as client:
        rest = {"session": other, "max_tokens": num_left, "stop": ["\x00"]}
        assert expected["text"] == text + client.post("/generate", json=rest).json()["text"]
        rest = {"capsule": sealed["capsule"], "max_tokens": 16000 - len(same), "stop": ["\x00"]}
        assert expected["text"] == same + client.post("/generate", json=rest).json()["text"]
        log = client.get(f"/sessions/{other}/log").json()["turns"]
        assert ["parked", "length"] == [each["finish_reason"] for each in log]


def test_a_file_of_a_newer_program_stops_the_start(tmp_path: Path) -> None:
    """In one line that names it."""
    with sqlite3.connect(tmp_path / "sessions.sqlite3") as connection:
        connection.execute("PRAGMA application_id = 0x4C53544D")
        connection.execute("PRAGMA user_version = 99")
    url = f"sqlite:///{tmp_path}/sessions.sqlite3"

    with (
        pytest.raises(RuntimeError, match="schema 99, of a newer program"),
        running_server(_STORE, tmp_path, models="names", session_store=url),
    ):
        pass
