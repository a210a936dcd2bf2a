"""`lstm-serve generate` against a running server, in pipes and in a terminal."""

from __future__ import annotations

import json
import os
import pty
import shlex
import signal
import subprocess
import sys

import httpx
import pytest

from tests.e2e.running_server import PLAIN, REPOSITORY, RunningServer
from tests.e2e.test_lifecycle import lstm_serve

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


def command(server: RunningServer, *words: str) -> list[str]:
    """Of the server at its port, as a list."""
    return [sys.executable, "-m", "service.cli", "generate", "--url", server.url, *words]


def test_standard_output_is_exactly_the_text(server: RunningServer):
    """Of the server that is at the port of the settings."""
    asked = {"prompt": "Once §", "max_tokens": 99, "seed": 7}
    answer = httpx.post(f"{server.url}/generate", json=asked, timeout=30, verify=PLAIN).json()
    words = ["generate", "Once §", "--max-tokens", "99", "--seed", "7"]
    for more in ([], ["--no-stream"]):
        done = lstm_serve(*words, *more, LSTM_SERVE_PORT=str(server.port))
        assert (0, answer["text"]) == (done.returncode, done.stdout)
        assert "§" in done.stderr
        assert "straight" not in done.stderr


def test_a_session_goes_on(server: RunningServer):
    """Turn by turn, from its own seed."""
    made = httpx.post(
        f"{server.url}/sessions", json={"prompt": "Once ", "seed": 7}, timeout=30, verify=PLAIN
    )
    session = made.json()["id"]
    texts = []
    for _ in range(2):
        words = ["", "--session", session, "--max-tokens", "20", "--json"]
        done = lstm_serve("generate", "--url", server.url, *words)
        answer = json.loads(done.stdout)
        texts.append(answer["text"])
        assert session == answer["session"]
    whole = {"prompt": "Once ", "seed": 7, "max_tokens": 40}
    asked = httpx.post(f"{server.url}/generate", json=whole, timeout=30, verify=PLAIN).json()

    assert asked["text"] == "".join(texts)


def test_a_reader_who_leaves_ends_it_quietly(server: RunningServer):
    """`| head`: no error, and nothing is written any further."""
    line = shlex.join(command(server, "a", "--max-tokens", "16000")) + " | head -c 5"
    done = subprocess.run(
        ["bash", "-c", line + '; exit "${PIPESTATUS[0]}"'],
        cwd=REPOSITORY,
        capture_output=True,
        check=False,
    )

    assert (0, 5) == (done.returncode, len(done.stdout))
    assert 1 == len(done.stderr.splitlines())
    server.wait_until(running=0)


def test_ctrl_c_ends_it_and_its_request(server: RunningServer):
    """With status 130, no traceback, and the seed."""
    terminal, inside = pty.openpty()
    process = subprocess.Popen(
        command(server, "a", "--max-tokens", "16000", "--seed", "5"),
        cwd=REPOSITORY,
        stdout=inside,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(inside)
    try:
        assert os.read(terminal, 1)  # its first character: it is in mid-stream
        process.send_signal(signal.SIGINT)
        while True:  # or the terminal would be full
            try:
                os.read(terminal, 1 << 16)
            except OSError:
                break
        _, complaint = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
        os.close(terminal)

    assert 130 == process.returncode
    assert "--seed 5" in complaint
    assert "Traceback" not in complaint
    server.wait_until(running=0, waiting=0, parked=0)
