"""httpx-sse: each dialect's streams are server-sent events to a parser that is not ours."""

from __future__ import annotations

import json

import httpx
import pytest
from httpx_sse import connect_sse

from tests.e2e.running_server import PLAIN, RunningServer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
_WRITE = {"max_tokens": 60, "seed": 5}


def _data(server: RunningServer, path: str, body: dict) -> list[str]:
    """The data of every event."""
    with (
        httpx.Client(base_url=server.url, timeout=60, verify=PLAIN) as client,
        connect_sse(client, "POST", path, json=body) as source,
    ):
        return [event.data for event in source.iter_sse()]


def test_every_dialect_streams_the_same_text(server: RunningServer):
    """Line breaks in it are no ends of events."""
    ours = _data(server, "/generate", {"prompt": "Once ", "stream": True, **_WRITE})
    *openai, done = _data(server, "/v1/completions", {"prompt": "Once ", "stream": True, **_WRITE})
    kserve = _data(
        server, "/v2/models/tiny/generate_stream", {"text_input": "Once ", "parameters": _WRITE}
    )
    text = "".join(json.loads(data)["text"] for data in ours)

    assert "[DONE]" == done
    assert text == "".join(json.loads(data)["choices"][0]["text"] for data in openai)
    assert text == "".join(json.loads(data)["text_output"] for data in kserve)
