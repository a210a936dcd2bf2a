"""Several texts of one prompt, over real sockets."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import httpx
import pytest

from tests.e2e.running_server import RunningServer, running_server
from tests.e2e.test_promises import company

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
BODY = {"prompt": "The quick brown fox", "max_tokens": 60, "seed": 7}


def _streamed(client: httpx.Client, body: dict, **headers: str) -> list[tuple[str, dict]]:
    answer = client.post("/generate", json=body | {"stream": True}, headers=headers)
    assert 200 == answer.status_code, answer.text
    data = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
    ids = [line[4:] for line in answer.text.splitlines() if line.startswith("id: ")]
    return list(zip(ids, data, strict=True))


def _texts(found: list[tuple[str, dict]]) -> list[str]:
    texts = [""] * 4
    for _, data in found:
        texts[data["index"]] += data["text"]
    return texts


def test_each_text_is_what_its_seed_gives_alone_in_any_company(server: RunningServer):
    """Whole, streamed, and by a stream that goes on in the middle."""
    with server.client() as client:
        with company(server, 24):
            whole = client.post("/generate", json=BODY | {"n": 4}).json()["texts"]
            streamed = _streamed(client, BODY | {"n": 4, "stream_every": 11})
            half = len(streamed) // 2
            rest = _streamed(
                client,
                BODY | {"n": 4, "stream_every": 11},
                **{"Last-Event-ID": streamed[half - 1][0]},
            )
        alone = [
            client.post("/generate", json=BODY | {"seed": text["seed"]}).json()["text"]
            for text in whole
        ]

    assert alone == [text["text"] for text in whole]
    assert alone == _texts(streamed)
    assert alone == _texts([*streamed[:half], *rest])


def test_who_leaves_frees_the_rows_of_all_texts(server: RunningServer):
    """Streamed or whole."""
    endless = {"prompt": "a", "max_tokens": 16_000, "n": 16}
    for stream in (True, False):
        with contextlib.closing(server.send(endless | {"stream": stream})):
            server.wait_until(running=16, waiting=0, parked=0)
        server.wait_until(running=0, waiting=0, parked=0)


def test_all_are_accepted_or_none(store: Path, tmp_path: Path):
    """A request for more texts than may still wait is refused, and smaller ones are taken."""
    with (
        running_server(store, tmp_path, max_rows=1, max_waiting_requests=4) as server,
        server.client() as client,
        contextlib.closing(server.send({"max_tokens": 16_000, "stream": True, "prompt": "a"})),
    ):
        server.wait_until(running=1, waiting=0)
        two = {"prompt": "a", "max_tokens": 16_000, "n": 2, "stream": True}
        with contextlib.closing(server.send(two)):
            server.wait_until(running=1, waiting=2)
            refused = client.post("/generate", json=BODY | {"n": 3})
            assert (429, "overloaded") == (refused.status_code, refused.json()["error"]["code"])
            assert int(refused.headers["retry-after"]) >= 1
            server.wait_until(running=1, waiting=2)
            with contextlib.closing(server.send(BODY | {"n": 2})):
                server.wait_until(running=1, waiting=4)
