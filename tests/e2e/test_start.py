"""What a server says and does before and when it starts."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.e2e.running_server import REPOSITORY, RunningServer
from tests.e2e.test_lifecycle import lstm_serve
from tests.waiting import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


def test_the_greeting_names_the_port_that_is_bound(store: Path, tmp_path: Path):
    """And its example can be sent as it stands."""
    said = tmp_path / "said"
    words = ["serve", "--port", "0", "--model-store", str(store), "--host", "localhost"]
    with said.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "service.cli", *words], cwd=REPOSITORY, stdout=output
        )
    try:
        wait_for(lambda: "curl" in said.read_text("utf-8"), "a greeting")
        greeting = said.read_text("utf-8")
        [url] = re.findall(r"^  (http://localhost:\d+)/docs$", greeting, re.M)
        command = shlex.split(greeting.splitlines()[2])
        assert ["curl", "-N", f"{url}/generate"] == command[:3]
        name, _, value = command[4].partition(": ")
        body = command[6]
        answer = httpx.post(command[2], content=body, headers={name: value})

        assert 200 == answer.status_code
        assert json.loads(body)["prompt"] == ""  # the tiny model was trained on nothing
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("host", ["taken", "192.0.2.1", "no.such.host.invalid"])
def test_an_address_that_cannot_be_had_is_one_line(server: RunningServer, store: Path, host: str):
    """With host and port, on standard error; nothing else is said, and the exit status is 1."""
    host = "127.0.0.1" if host == "taken" else host
    port = str(server.port)
    result = lstm_serve("serve", "--host", host, "--port", port, "--model-store", str(store))

    assert (1, "") == (result.returncode, result.stdout)
    assert result.stderr.startswith(f"lstm-serve: cannot listen on {host}:{port}: ")
    assert 1 == result.stderr.count("\n")
