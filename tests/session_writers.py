"""Clients of sessions, who mend what goes wrong as docs/operations.md says."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from httpx_sse import EventSource

from tests.e2e.running_server import PLAIN, REPOSITORY, running_server
from tests.waiting import wait_for

MENDED = {
    (409, "session_busy"),
    (429, "overloaded"),
    (502, "no_replica"),
    (504, "no_replica"),
    (503, "shutting_down"),
    (503, "sessions_unavailable"),
}
"""What asking again mends; anything else is a failure of the test."""
PATIENCE_S = 150
MAX_TOKENS = 64


class _Again(Exception):
    """The request is to be sent again, after a while."""

    def __init__(self, what: object, after_s: float) -> None:
        super().__init__(what)
        self.what = what
        self.after_s = after_s


@dataclass
class SessionWriter:
    """One session and its client; each turn, and each try of it, is at another replica.

    Attributes:
        urls: Of the replicas, or of what is before them; they may change.
        number: Which session it is: its seed, and where it begins.
        session: Its id.
        texts: Of its turns so far.
        num_commits: Turns, and those that were parked and went on.
        num_tokens: Of the session, as its answers count them.
        mended: What went wrong and was mended, by how often.
    """

    urls: Sequence[str]
    number: int
    session: str = ""
    texts: list[str] = field(default_factory=list)
    num_commits: int = 0
    num_tokens: int = 0
    mended: Counter[object] = field(default_factory=Counter)
    _tries: Iterator[int] = field(default_factory=count)

    def create(self) -> None:
        """Make the session; nothing may go wrong yet."""
        body = {"prompt": f"ROMEO {self.number}:\n", "seed": self.number}
        made = httpx.post(f"{self._url()}/sessions", json=body, timeout=60, verify=PLAIN)
        session = made.raise_for_status().json()
        self.session, self.num_tokens = session["id"], session["num_tokens"]

    def take_turn(self) -> None:
        """Write one turn, every other one as a stream."""
        number, text, num_left = len(self.texts), "", MAX_TOKENS
        body: dict[str, Any] = {"session": self.session, "prompt": f"\n{number}\n"}
        for part in count():
            body["max_tokens"] = num_left
            key = f"turn-{number}-{part}"
            more, last = self._written(body, key, is_stream=(self.number + number) % 2 == 0)
            usage = last["usage"]
            text += more
            self.num_commits += 1
            self.num_tokens += usage["prompt_tokens"] + usage["completion_tokens"]
            num_left -= usage["completion_tokens"]
            if last["finish_reason"] != "parked" or not num_left:
                break
            body.pop("prompt", None)  # the rest, as if nothing had been
        self.texts.append(text)

    def _written(
        self, body: dict[str, Any], key: str, is_stream: bool
    ) -> tuple[str, dict[str, Any]]:
        shown = _Shown()
        deadline_s = time.monotonic() + PATIENCE_S
        headers = {"Idempotency-Key": key}
        while True:
            try:
                with httpx.Client(base_url=self._url(), timeout=60, verify=PLAIN) as client:
                    if is_stream:
                        return shown.read(client, body, headers)
                    answer = client.post("/generate", json=body, headers=headers)
                    _refuse(answer)
                    return answer.json()["text"], answer.json()
            except (_Again, httpx.TransportError) as error:
                self.mended[error.what if isinstance(error, _Again) else type(error).__name__] += 1
                if time.monotonic() > deadline_s:
                    raise
                time.sleep(error.after_s if isinstance(error, _Again) else 0.2)

    def _url(self) -> str:
        return self.urls[(self.number + next(self._tries)) % len(self.urls)]


@dataclass
class _Shown:
    """What a client has of a stream, over all its tries."""

    text: str = ""
    last_id: str = ""

    def read(
        self, client: httpx.Client, body: dict[str, Any], headers: dict[str, str]
    ) -> tuple[str, dict[str, Any]]:
        """Go on with it; returns its text and its last event."""
        if self.last_id:
            headers = {**headers, "Last-Event-ID": self.last_id}
        asked = {**body, "stream": True}
        with client.stream("POST", "/generate", json=asked, headers=headers) as response:
            if response.status_code != 200:
                response.read()
                _refuse(response)
            for event in EventSource(response).iter_sse():
                data = json.loads(event.data)
                if event.event == "error":
                    raise _again(f"event: {data['error']['code']}", 503, data, 0.2)
                self.text += data["text"]
                self.last_id = event.id
                if "finish_reason" in data:
                    return self.text, data
        raise _Again("a stream without an end", 0.2)


def _refuse(answer: httpx.Response) -> None:
    if not answer.is_success:
        wait_s = float(answer.headers.get("Retry-After", 1))
        raise _again(None, answer.status_code, answer.json(), wait_s)


def _again(what: object, status: int, body: dict[str, Any], wait_s: float) -> _Again:
    found = (status, body["error"]["code"])
    assert found in MENDED, (status, body)
    return _Again(what or found, wait_s)


def write(
    writers: Sequence[SessionWriter],
    num_turns: int,
    disturbances: Sequence[Callable[[], object]] = (),
) -> Counter[object]:
    """Let all take their turns at the same time, while one disturbance after the other happens.

    Args:
        writers: With their sessions.
        num_turns: Of each.
        disturbances: Spread evenly over the turns of all.

    Returns:
        What was mended, by how often.
    """
    total = len(writers) * num_turns
    between = total // (len(disturbances) + 1)
    done = threading.Semaphore(0)
    allowed = threading.Semaphore(2 * between)  # a slow disturbance has turns to disturb too
    is_over = threading.Event()

    def take_turns(writer: SessionWriter) -> None:
        try:
            for _ in range(num_turns):
                allowed.acquire()
                if is_over.is_set():
                    return
                writer.take_turn()
                done.release()
        except BaseException:
            is_over.set()
            raise

    with ThreadPoolExecutor(len(writers)) as pool:
        running = [pool.submit(take_turns, writer) for writer in writers]
        try:
            for disturb in disturbances:
                for _ in range(between):
                    _wait_for_a_turn(done, is_over)
                if is_over.is_set():
                    break
                disturb()
                allowed.release(between)
        except BaseException:
            is_over.set()
            raise
        finally:
            allowed.release(total)
    for each in running:
        each.result()
    return sum((writer.mended for writer in writers), Counter[object]())


def _wait_for_a_turn(done: threading.Semaphore, is_over: threading.Event) -> None:
    wait_for(lambda: done.acquire(timeout=0.1) or is_over.is_set(), "a turn", PATIENCE_S)


def check(writers: Sequence[SessionWriter], expected: Sequence[SessionWriter]) -> None:
    """Every turn is there once, with its text, and the next one can be had at once."""
    for writer, reference in zip(writers, expected, strict=True):
        with httpx.Client(base_url=writer.urls[0], timeout=60, verify=PLAIN) as client:
            session = client.get(f"/sessions/{writer.session}").json()
            turns = client.get(f"/sessions/{writer.session}/log").json()["turns"]
            writer.mended.clear()
            writer.take_turn()
        written = [turn for turn in turns if turn["version"] > 0]

        assert reference.texts == writer.texts[:-1]
        assert "".join(reference.texts) == "".join(turn["text"] for turn in written)
        assert list(range(1, writer.num_commits)) == [turn["version"] for turn in written]
        assert writer.num_commits - 1 == session["version"]
        assert reference.num_tokens == session["num_tokens"]
        assert not writer.mended, "a lease is left over"


def created(urls: Sequence[str], num_sessions: int) -> list[SessionWriter]:
    """Writers, each with a new session."""
    writers = [SessionWriter(urls, number) for number in range(num_sessions)]
    for writer in writers:
        writer.create()
    return writers


def undisturbed(folder: Path, num_sessions: int, num_turns: int) -> list[SessionWriter]:
    """The same sessions on one server that nobody disturbs."""
    store = REPOSITORY / "model_store"
    with running_server(store, folder, models="shakespeare", session_store="memory://") as server:
        writers = created([server.url], num_sessions)
        assert not write(writers, num_turns)
    return writers


def wait_for_mending(writers: Sequence[SessionWriter], what: object) -> None:
    """Wait until some client has met it."""
    wait_for(lambda: any(writer.mended[what] for writer in writers), f"{what}", timeout_s=60)
