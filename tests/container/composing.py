"""Compose and the engine below it, as tests use them."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import uuid
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


class Compose:
    """The compose command with a project name and a port of its own."""

    def __init__(self, *files: str, **variables: str) -> None:
        plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        self._command = ["docker", "compose"] if plugin.returncode == 0 else ["docker-compose"]
        self.project = f"lstm-serve-test-{uuid.uuid4().hex[:8]}"
        self._files = [part for file in files for part in ("-f", file)]
        self.port = _free_port()
        self._variables = {**variables, "LSTM_SERVE_PORT": str(self.port)}

    def __call__(self, *arguments: str) -> str:
        """Run a subcommand; what it says goes to the terminal, what it answers is returned."""
        command = [*self._command, *self._files, "--project-name", self.project, *arguments]
        # What is set for other tests, or for a server of one's own, is not for these containers.
        others = {name: value for name, value in os.environ.items() if "LSTM_SERVE_" not in name}
        done = subprocess.run(
            command,
            cwd=REPOSITORY,
            env=others | self._variables,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout.strip()


def wait_until_healthy(container: str) -> None:
    """Wait for its health check; fails with its log when that says no."""
    deadline_s = time.monotonic() + 90
    while (health := _health_of(container)) != "healthy":
        if health == "unhealthy" or time.monotonic() > deadline_s:
            log = subprocess.run(
                ["docker", "logs", container],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            pytest.fail(f"the container is {health}; its log:\n{log.stdout}")
        time.sleep(1)


def _health_of(container: str) -> str:
    return docker("inspect", "--format", "{{.State.Health.Status}}", container)


def docker(*arguments: str) -> str:
    """Run a command of the engine, and give what it answers."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
