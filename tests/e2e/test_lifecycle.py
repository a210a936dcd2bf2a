"""Starting, stopping, and what a person is told when it cannot start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from service.settings import Settings
from tests.e2e.running_server import (
    OTHERS_SETTINGS,
    PLAIN,
    REPOSITORY,
    RunningServer,
    read_stream,
    running_server,
)
from tests.step_graphs import bfloat16
from tests.tiny_model import VOCABULARY_SIZE, WIDTH, publish
from tests.waiting import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


def lstm_serve(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "service.cli", *arguments],
        cwd=REPOSITORY,
        env=os.environ | OTHERS_SETTINGS | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def not_ready(client: httpx.Client) -> httpx.Response | None:
    """What readiness says once it is false."""
    response = client.get("/health/ready")
    return None if response.status_code == 200 else response


class Stream(threading.Thread):
    """Reads a long stream in the background."""

    def __init__(self, server: RunningServer, max_tokens: int) -> None:
        super().__init__()
        self._server = server
        self._body = {"prompt": "a", "max_tokens": max_tokens, "seed": 1}
        self.events: list[dict] = []
        self.start()
        server.wait_until(running=1)

    def run(self) -> None:
        """Read it."""
        with self._server.client() as client:
            self.events = read_stream(client, self._body)


def test_sigterm_lets_a_stream_finish(store: Path, tmp_path: Path):
    """Meanwhile readiness is false and new work is refused; the exit code is 0."""
    with running_server(store, tmp_path) as server, server.client() as client:
        stream = Stream(server, max_tokens=8_000)
        server.terminate()
        ready = wait_for(lambda: not_ready(client), "a server that is not ready")
        refused = client.post("/generate", json={"max_tokens": 1})
        no_session = client.post("/sessions", json={})
        live = client.get("/health/live")
        stream.join()

        assert ready is not None
        assert "shutting_down" == ready.json()["error"]["code"]
        assert [(503, "shutting_down")] * 2 == [
            (response.status_code, response.json()["error"]["code"])
            for response in (refused, no_session)
        ]
        assert 200 == live.status_code
        assert "length" == stream.events[-1]["finish_reason"]
        assert 8_000 == sum(event["num_tokens"] for event in stream.events)
        assert 0 == server.process.wait(30)


def test_after_the_grace_period_streams_end_with_an_error(store: Path, tmp_path: Path):
    """Not with a cut: the reader is told."""
    with running_server(store, tmp_path, grace_period_s=0.2) as server:
        stream = Stream(server, max_tokens=16_000)
        server.terminate()
        stream.join()

        assert "shutting_down" == stream.events[-1]["error"]["code"]
        assert 0 == server.process.wait(30)


def test_a_second_signal_does_not_wait(store: Path, tmp_path: Path):
    """The grace period is a minute; the server is gone long before."""
    with running_server(store, tmp_path, grace_period_s=600) as server:
        stream = Stream(server, max_tokens=16_000)
        server.terminate()
        server.wait_until(running=1)
        server.terminate()

        assert 0 == server.process.wait(40)
        stream.join()


def test_killed_and_started_again(store: Path, tmp_path: Path):
    """Nothing that was left behind is in the way, and the text is the same."""
    body = {"prompt": "a", "max_tokens": 30, "seed": 4}
    texts = []
    for _ in range(2):
        with running_server(store, tmp_path) as server, server.client() as client:
            texts.append(client.post("/generate", json=body).json()["text"])
            server.process.kill()
            server.process.wait()

    assert texts[0] == texts[1]


def test_a_broken_model_stops_the_start(tmp_path: Path):
    """With the file and the reason."""
    folder = publish(tmp_path / "store")
    (folder / "model.onnx").write_bytes(b"broken")
    result = lstm_serve("serve", "--model-store", str(tmp_path / "store"), "--port", "0")

    assert 1 == result.returncode
    assert str(folder / "model.onnx") in result.stderr
    assert "6 bytes" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_broken_model_does_not_stop_the_others(tmp_path: Path):
    """The good one serves, and readiness names the bad one."""
    publish(tmp_path / "store", "good")
    folder = publish(tmp_path / "store", "bad")
    (folder / "tokenizer.json").unlink()
    with running_server(tmp_path / "store", tmp_path) as server, server.client() as client:
        ready, models = client.get("/health/ready").json(), client.get("/models").json()
        answer = client.post("/generate", json={"max_tokens": 3})

    assert 200 == answer.status_code
    assert "tokenizer.json: is missing" in ready["broken"]["bad@1"]
    assert ready["broken"] == models["broken"]
    assert ["good@1"] == [model["id"] for model in models["models"]]
    listing = lstm_serve("models", "--model-store", str(tmp_path / "store"))
    assert 1 == listing.returncode
    assert "good@1" in listing.stdout
    assert "broken: " in listing.stdout


def test_leftovers_and_damage_beside_the_default_change_nothing(tmp_path: Path):
    """Files of an editor, a stray old version, a model that nobody can run: the same text."""
    store, body = tmp_path / "store", {"max_tokens": 20, "seed": 3}
    folder = publish(store, "zebra", documents={"README.md": "A model."})
    publish(store, "ant", 2, created_at="2026-02-02T00:00:00Z")
    with running_server(store, tmp_path) as server, server.client() as client:
        before = client.post("/generate", json=body).json()
    (folder / ".DS_Store").touch()
    (folder / "README.md~").touch()
    (folder / "README.md").write_text("My model.", encoding="utf-8")
    (store / "ant" / "1").mkdir()
    graph = bfloat16(width=WIDTH, vocabulary_size=VOCABULARY_SIZE)
    publish(store, "bison", graph=graph, created_at="2026-02-03T00:00:00Z")
    with running_server(store, tmp_path) as server, server.client() as client:
        after = client.post("/generate", json=body).json()
        ready = client.get("/health/ready").json()
        refused = client.post("/generate", json=body | {"model": "bison"})
        log = server.log.read_text(encoding="utf-8")

    assert ("zebra@1", before["text"]) == (after["model"], after["text"])
    assert ["ant@1", "bison@1"] == sorted(ready["broken"])
    assert "bison/1/model.onnx: cannot be run" in ready["broken"]["bison@1"]
    assert (503, "model_broken") == (refused.status_code, refused.json()["error"]["code"])
    assert "zebra@1 is served, but README.md changed" in log
    assert "Traceback" not in log
    listing = lstm_serve("models", "--model-store", str(store))
    assert (1, "") == (listing.returncode, listing.stderr)
    assert "ok; README.md changed; README.md~ is not listed" in listing.stdout


def test_a_model_that_comes_later_is_not_the_default(tmp_path: Path):
    """Who named none goes on with the model of before."""
    for name, created in (("zebra", "2026-01-01"), ("ant", "2026-02-02")):
        manifest = publish(tmp_path / "store", name) / "manifest.json"
        content = json.loads(manifest.read_text(encoding="utf-8"))
        content["provenance"]["created_at"] = created
        manifest.write_text(json.dumps(content), encoding="utf-8")
    with running_server(tmp_path / "store", tmp_path) as server, server.client() as client:
        unnamed = client.post("/generate", json={"max_tokens": 1}).json()
        named = client.post("/generate", json={"max_tokens": 1, "model": "ant@1"}).json()

    assert ("zebra@1", "ant@1") == (unnamed["model"], named["model"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LSTM_SERVE_PORT", "eighty"),
        ("LSTM_SERVE_MAX_ROWS", "0"),
        ("LSTM_SERVE_GRACE_PERIOD_S", "nan"),
        ("LSTM_SERVE_NO_SUCH_THING", "1"),
    ],
)
def test_a_wrong_setting_stops_the_start(name: str, value: str):
    """And is named."""
    result = lstm_serve("serve", **{name: value})

    assert 2 == result.returncode
    assert name in result.stderr


def test_help_names_every_setting():
    """With its option, its variable and what it does."""
    text = " ".join(lstm_serve("serve", "--help", COLUMNS="200").stdout.split())

    for name, field in Settings.model_fields.items():
        assert f"--{name.replace('_', '-')}" in text
        assert f"env LSTM_SERVE_{name.upper()}" in text
        assert str(field.description) in text


def test_a_port_that_is_taken_is_named(server: RunningServer, store: Path):
    """The second server says which address it could not have."""
    result = lstm_serve("serve", "--port", str(server.port), "--model-store", str(store))

    assert 0 != result.returncode
    assert str(server.port) in result.stderr
    assert "curl" not in result.stdout


def test_healthcheck_asks_for_readiness(server: RunningServer):
    """Exit code 0 where a server is ready, 1 where none is."""
    assert 0 == lstm_serve("healthcheck", "--port", str(server.port)).returncode
    assert 1 == lstm_serve("healthcheck", "--port", "1").returncode
    assert 200 == httpx.get(f"{server.url}/health/ready", verify=PLAIN).status_code


@pytest.mark.parametrize(
    "environment",
    [
        {"HTTP_PROXY": "http://127.0.0.1:9"},
        {"ALL_PROXY": "socks5://127.0.0.1:9"},
        {"SSL_CERT_FILE": "/no/such/file"},
    ],
    ids=["http", "socks", "certificates"],
)
def test_healthcheck_asks_this_machine_only(server: RunningServer, environment: dict[str, str]):
    """Whatever proxies and certificates others use."""
    result = lstm_serve("healthcheck", "--port", str(server.port), **environment)

    assert (0, "") == (result.returncode, result.stderr)


@pytest.mark.parametrize("host", ["::1", "::", "no such host"])
def test_healthcheck_fails_in_one_line(host: str):
    """Addresses of all kinds."""
    result = lstm_serve("healthcheck", "--port", "1", "--host", host)

    assert 1 == result.returncode
    assert 1 == result.stderr.count("\n")
    assert result.stderr.startswith("lstm-serve: no answer: ")


def test_kubernetes_variables_are_not_settings(server: RunningServer):
    """A service that is called lstm-serve puts its address into every pod's environment."""
    links = {
        "LSTM_SERVE_PORT": "tcp://10.0.0.1:8000",
        "LSTM_SERVE_SERVICE_HOST": "10.0.0.1",
        "LSTM_SERVE_SERVICE_PORT": "8000",
        "LSTM_SERVE_SERVICE_PORT_HTTP": "8000",
        "LSTM_SERVE_PORT_8000_TCP": "tcp://10.0.0.1:8000",
        "LSTM_SERVE_PORT_8000_TCP_ADDR": "10.0.0.1",
        "LSTM_SERVE_PORT_8000_TCP_PORT": "8000",
        "LSTM_SERVE_PORT_8000_TCP_PROTO": "tcp",
        "LSTM_SERVE_SESSIONS_SERVICE_HOST": "10.0.0.2",
        "LSTM_SERVE_SESSIONS_PORT": "tcp://10.0.0.2:6379",
        "LSTM_SERVE_SESSIONS_PORT_6379_TCP_ADDR": "10.0.0.2",
    }
    result = lstm_serve("healthcheck", "--port", str(server.port), **links)

    assert 0 == result.returncode
    assert "ignored: LSTM_SERVE_PORT, " in result.stderr
    # A port of one's own takes the place of the one that Kubernetes sets; the rest is still there.
    own = lstm_serve("healthcheck", **links | {"LSTM_SERVE_PORT": str(server.port)})
    assert 0 == own.returncode
    assert "LSTM_SERVE_PORT, " not in own.stderr
    assert 2 == lstm_serve("models", LSTM_SERVE_SERVICE_HOST="10.0.0.1").returncode
    assert 2 == lstm_serve("models", **links, LSTM_SERVE_PORTS="1").returncode
    assert 2 == lstm_serve("models", LSTM_SERVE_SESSIONS_PORT="8000").returncode
