"""A new version comes while 64 texts run: none of them is another one for it."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.running_server import PLAIN, running_server
from tests.tiny_model import publish
from tests.waiting import wait_for

_NUM_STREAMS = 64
_NUM_TOKENS = 400


def _copy(store: Path, version: int) -> None:
    """The first version once more, as a later one, which becomes visible file by file."""
    folder = shutil.copytree(store / "tiny/1", store / f"tiny/{version}")
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    (folder / "manifest.json").write_text(json.dumps(manifest | {"version": version}), "utf-8")


async def _stream(http: httpx.AsyncClient, seed: int) -> tuple[str, str]:
    """Text and model of a streamed text."""
    body = {"prompt": "To be", "max_tokens": _NUM_TOKENS, "seed": seed, "stream": True}
    async with http.stream("POST", "/generate", json=body) as response:
        events: list[dict[str, Any]] = [
            json.loads(line.removeprefix("data: "))
            async for line in response.aiter_lines()
            if line.startswith("data: ")
        ]
    return "".join(event["text"] for event in events), events[-1]["model"]


async def _accepted(http: httpx.AsyncClient, running: list[asyncio.Task[tuple[str, str]]]) -> None:
    """Wait until the server has taken all of them in."""
    num_in = 0
    while num_in < len(running):
        engine = (await http.get("/health/ready")).json()["models"]["tiny@1"]
        num_in = engine["running"] + engine["waiting"] + sum(text.done() for text in running)


async def _default(http: httpx.AsyncClient) -> str:
    """The model that answers requests which name none."""
    models = (await http.get("/models")).json()["models"]
    return next(str(model["id"]) for model in models if model["default"])


@pytest.mark.e2e
@pytest.mark.timeout(120)
async def test_streams_end_undisturbed_on_the_version_that_they_began_with(tmp_path: Path) -> None:
    """And whoever comes after them gets the new one, which was only copied into the store."""
    publish(tmp_path / "store")
    # With few rows most texts wait when the new version comes, and begin after it.
    settings: dict[str, Any] = {"max_rows": 2, "reload_every_s": 0.2, "older_version_idle_s": 0.2}
    with running_server(tmp_path / "store", tmp_path, **settings) as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=60, verify=PLAIN) as http:
            seeds = range(_NUM_STREAMS)
            alone = await asyncio.gather(*(_stream(http, seed) for seed in seeds))
            running = [asyncio.ensure_future(_stream(http, seed)) for seed in seeds]
            await _accepted(http, running)
            _copy(tmp_path / "store", 2)
            while await _default(http) != "tiny@2":  # noqa: ASYNC110 - a server tells nobody
                await asyncio.sleep(0.05)
            assert [] != [text for text in running if not text.done()]
            assert alone == await asyncio.gather(*running)
            assert {"tiny@1"} == {model for _, model in alone}
            assert (alone[0][0], "tiny@2") == await _stream(http, 0)
        wait_for(lambda: "tiny@1 is ended" in server.log.read_text("utf-8"), "the old engine's end")
        assert not re.search(" ERROR |refused tiny", server.log.read_text("utf-8"))
