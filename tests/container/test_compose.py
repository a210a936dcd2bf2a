"""The images as people start them: `docker compose build`, `up`, use it, `down`.

Runs against whichever engine `docker` reaches, with the plugin (`docker compose`) or, where there
is none, docker-compose 1.29; builds for real, so the first run takes minutes.
"""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx
import pytest
from httpx_sse import ServerSentEvent, connect_sse

from tests.container.composing import Compose, docker, wait_until_healthy

pytestmark = [pytest.mark.container, pytest.mark.timeout(1200)]

STOP_GRACE_PERIOD_S = 30  # docker-compose.yml: after it, Docker kills
REQUEST = {"prompt": "ROMEO:", "max_tokens": 200, "seed": 7}


@dataclass(frozen=True)
class Stack:
    """A project that is up."""

    client: httpx.Client
    container: str
    compose: Compose


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """The service, built, up and healthy; taken down whatever happens."""
    if shutil.which("docker") is None:
        pytest.fail("no docker command: `make container-test` needs a Docker engine")
    compose = Compose("docker-compose.yml")
    try:
        compose("build", "serve")
        compose("up", "--detach", "serve")
        container = compose("ps", "--quiet", "serve")
        wait_until_healthy(container)
        with httpx.Client(base_url=f"http://127.0.0.1:{compose.port}", timeout=60) as client:
            yield Stack(client, container, compose)
    finally:
        compose("down", "--volumes", "--remove-orphans")


def test_streams_the_same_text_as_the_whole_answer_and_again(stack: Stack):
    """Same seed, same text: in one piece, streamed, and streamed once more."""
    whole = stack.client.post("/generate", json=REQUEST).raise_for_status().json()
    streams = [_stream(stack.client, REQUEST) for _ in range(2)]

    assert len(whole["text"]) > 0
    for events in streams:
        assert whole["text"] == "".join(json.loads(event.data)["text"] for event in events)
        assert whole["finish_reason"] == json.loads(events[-1].data)["finish_reason"]


def test_continues_a_session(stack: Stack):
    """Two turns on a session are one text, and the session counts their tokens."""
    session = stack.client.post("/sessions", json={"prompt": "ROMEO:"}).raise_for_status().json()
    turn = {"session": session["id"], "max_tokens": 50}
    usages = [
        stack.client.post("/generate", json=turn).raise_for_status().json()["usage"]
        for _ in range(2)
    ]
    after = stack.client.get(f"/sessions/{session['id']}").raise_for_status().json()

    written = sum(usage["prompt_tokens"] + usage["completion_tokens"] for usage in usages)
    assert session["num_tokens"] + written == after["num_tokens"]


def test_the_image_has_no_torch(stack: Stack):
    """Torch is a dependency of training only."""
    code = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is not None)"
    docker("exec", stack.container, "python", "-c", code)


def test_runs_as_nobody_special_and_writes_nowhere(stack: Stack):
    """Not root, and both the image and the mounted store are read-only."""
    assert docker("exec", stack.container, "id", "-u") != "0"
    for folder in ("/app", "/app/model_store"):
        with pytest.raises(subprocess.CalledProcessError) as refused:
            docker("exec", stack.container, "touch", f"{folder}/written")
        assert "Read-only file system" in refused.value.stderr


def test_down_lets_streams_end_and_exits_with_0(stack: Stack):
    """`down` while texts are running: each of them ends with a last event, and the server with 0.

    The last test, because nothing is up after it.
    """
    request = REQUEST | {"max_tokens": 16_384}
    # Waits from before the end, because `down` removes the container and its exit code with it.
    waiting = subprocess.Popen(["docker", "wait", stack.container], stdout=subprocess.PIPE)
    with waiting, ThreadPoolExecutor(16) as pool:
        streams = [pool.submit(_stream, stack.client, request) for _ in range(16)]
        time.sleep(1)
        assert not any(stream.done() for stream in streams)
        started_s = time.monotonic()
        stack.compose("down")
        took_s = time.monotonic() - started_s
        endings = [stream.result()[-1] for stream in streams]
        exit_code = int(waiting.communicate(timeout=60)[0])

    for ending in endings:
        assert ending.event == "error" or json.loads(ending.data)["finish_reason"] == "length"
    assert exit_code == 0
    assert took_s < STOP_GRACE_PERIOD_S


def _stream(client: httpx.Client, request: dict[str, object]) -> list[ServerSentEvent]:
    with connect_sse(client, "POST", "/generate", json=request | {"stream": True}) as source:
        source.response.raise_for_status()
        return list(source.iter_sse())


def test_a_dead_engine_brings_the_container_back(stack: Stack):
    """The process ends with status 1, compose starts it again by itself, and sessions are there."""
    compose = Compose("docker-compose.yml", "tests/container/failing-engine.yml")
    try:
        compose("up", "--detach", "serve")
        container = compose("ps", "--quiet", "serve")
        wait_until_healthy(container)
        url = f"http://127.0.0.1:{compose.port}"
        session = httpx.post(f"{url}/sessions", json={}, timeout=60).json()["id"]
        turn = {"session": session, "max_tokens": 20}
        httpx.post(f"{url}/generate", json=turn, timeout=60).raise_for_status()
        docker("exec", container, "touch", "/tmp/die")
        deadline_s = time.monotonic() + 60
        while docker("inspect", "--format", "{{.RestartCount}}", container) == "0":
            assert time.monotonic() < deadline_s, "it was never started again"
            time.sleep(0.5)
        wait_until_healthy(container)
        answer = httpx.post(f"{url}/generate", json=turn, timeout=60)
        kept = httpx.get(f"{url}/sessions/{session}", timeout=60).json()
        log = subprocess.run(
            ["docker", "logs", container], capture_output=True, text=True, check=True
        )
    finally:
        compose("down", "--volumes", "--remove-orphans")

    assert (200, 2) == (answer.status_code, kept["version"])
    assert "to be started again" in log.stderr
