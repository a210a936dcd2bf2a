"""What the README promises, over real sockets."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from service.artifacts.store import ModelStore
from tests.e2e.running_server import REPOSITORY, RunningServer, read_stream, running_server
from tests.waiting import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

BUNDLED = ModelStore(REPOSITORY / "model_store")
REQUESTS = [
    {"prompt": "ROMEO:", "max_tokens": 120, "seed": 7},
    {"prompt": "To be", "max_tokens": 60, "temperature": 0},
    {"prompt": "", "max_tokens": 80, "seed": 1, "top_p": 0.9, "repetition_penalty": 1.2},
    {"prompt": "A\n", "max_tokens": 80, "seed": 2, "top_k": 5, "stop": ["th"], "logprobs": 2},
]


@contextmanager
def company(server: RunningServer, num_clients: int) -> Iterator[None]:
    """Others who come and go, with all kinds of options, for as long as the block runs."""
    over = threading.Event()

    def come_and_go(n: int) -> None:
        with server.client() as client:
            for k in range(10_000):
                if over.is_set():
                    return
                body = {"prompt": "xyz"[n % 3] * (k % 40), "max_tokens": 5 + (n * 7 + k) % 50}
                body |= {"seed": n * 1000 + k, "temperature": 0.5 + n % 3, "stream": k % 2 == 0}
                client.post("/generate", json=body | ({"top_k": 3} if n % 2 else {}))

    with ThreadPoolExecutor(num_clients) as pool:
        done = [pool.submit(come_and_go, n) for n in range(num_clients)]
        try:
            yield
        finally:
            over.set()
        for future in done:
            future.result()


def test_the_same_seed_gives_the_same_text_in_any_company(server: RunningServer):
    """Alone, again, streamed, and among 63 others."""
    with server.client() as client:
        alone = [client.post("/generate", json=body).json() for body in REQUESTS]
        again = [client.post("/generate", json=body).json() for body in REQUESTS]
        with company(server, 63):
            among = [client.post("/generate", json=body).json() for body in REQUESTS]
            streamed = [read_stream(client, body) for body in REQUESTS]

    for n, answer in enumerate(alone):
        for other in (again[n], among[n]):
            assert answer["text"] == other["text"]
            assert answer.get("logprobs") == other.get("logprobs")
        assert answer["text"] == "".join(event["text"] for event in streamed[n])
        assert answer["usage"] == streamed[n][-1]["usage"]


@pytest.mark.slow
@pytest.mark.parametrize("name", BUNDLED.names())
def test_the_bundled_models_keep_the_promise_too(name: str, tmp_path: Path):
    """The int8 model that is served by default."""
    with running_server(BUNDLED.root, tmp_path, models=name) as server, server.client() as client:
        alone = [client.post("/generate", json=body).json()["text"] for body in REQUESTS]
        with company(server, 63):
            among = [client.post("/generate", json=body).json()["text"] for body in REQUESTS]

    assert alone == among
    assert all(alone)


def test_a_stream_adds_up(server: RunningServer):
    """Tokens of the events are the tokens of the completion; the last event has the rest."""
    with server.client() as client:
        events = read_stream(client, {"prompt": "abc", "max_tokens": 100, "seed": 3})
        single = read_stream(
            client, {"prompt": "abc", "max_tokens": 100, "seed": 3, "stream_every": 1}
        )

    assert 100 == sum(event["num_tokens"] for event in events)
    assert 1 == max(event["num_tokens"] for event in single)
    assert "".join(e["text"] for e in events) == "".join(e["text"] for e in single)
    usage = {"prompt_tokens": 3, "cached_tokens": 0, "completion_tokens": 100, "unknown_tokens": 0}
    assert usage == events[-1]["usage"]
    assert ["length", 3] == [events[-1][name] for name in ("finish_reason", "seed")]


def test_two_turns_are_one_text(server: RunningServer):
    """A session goes on as if it had never stopped."""
    with server.client() as client:
        session = client.post("/sessions", json={"prompt": "Once ", "seed": 5}).json()
        turns = [
            client.post("/generate", json={"session": session["id"], "max_tokens": n}).json()
            for n in (30, 1, 29)
        ]
        whole = client.post("/generate", json={"prompt": "Once ", "seed": 5, "max_tokens": 60})
        after = client.get(f"/sessions/{session['id']}").json()

    assert whole.json()["text"] == "".join(turn["text"] for turn in turns)
    assert (65, 3) == (after["num_tokens"], after["version"])


def test_probes_answer_while_everything_is_busy(server: RunningServer):
    """64 streams run and prompts of 1 MB come in; a probe never waits for them."""
    times = []
    with company(server, 64), contextlib.ExitStack() as stack, server.client() as client:
        for n in range(60):
            if n % 10 == 0:
                refused = client.post("/generate", json={"prompt": "a" * 1_000_000})
                assert 422 == refused.status_code
                long = server.send({"prompt": "a" * 60_000, "max_tokens": 1})
                stack.enter_context(contextlib.closing(long))
            response = client.get("/health/live" if n % 2 else "/health/ready")
            assert 200 == response.status_code
            times.append(response.elapsed.total_seconds())

    # Milliseconds on a quiet machine; the bound is for one on which 65 test threads run as well.
    assert sorted(times)[len(times) // 2] < 1


def test_every_request_has_one_line_and_no_text(server: RunningServer):
    """What people write is not logged, and neither are paths that nobody serves."""
    with server.client() as client:
        client.post("/generate", json={"prompt": "SECRETPROMPT", "max_tokens": 5})
        client.post("/generate", json={"promt": "SECRETFIELD"})
        client.get("/SECRETPATH", headers={"X-Request-Id": "mine-1"})
        client.get("/health/live", headers={"X-Request-Id": "not\tmine"})
    wait_for(lambda: "mine-1" in server.log.read_text(encoding="utf-8"), "the lines of the log")
    lines = server.log.read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines if line.startswith("{")]

    assert not [line for line in lines if "SECRET" in line]
    mine = [record for record in records if record.get("request") == "mine-1"]
    assert [("unmatched", 404)] == [(record["path"], record["status"]) for record in mine]
    assert {"model", "prompt_tokens", "completion_tokens", "finish_reason", "duration_s"} <= set(
        next(record for record in records if record.get("path") == "/generate")
    )


def test_an_open_stream_has_headers_that_proxies_obey(server: RunningServer):
    """No caching, no buffering, and an id to ask about."""
    with (
        server.client() as client,
        client.stream("POST", "/generate", json={"stream": True, "max_tokens": 3}) as response,
    ):
        response.read()

    headers: httpx.Headers = response.headers
    assert headers["content-type"].startswith("text/event-stream")
    assert ("no-cache, no-transform", "no") == (
        headers["cache-control"],
        headers["x-accel-buffering"],
    )
    assert headers["x-request-id"].startswith("r_")
