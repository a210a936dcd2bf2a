"""A Redis of the tests' own."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis


@dataclass
class RedisServer:
    """A `redis-server` with a folder and a port of its own; started again it has what it had.

    Attributes:
        folder: Where its data are.
        options: Of the command line.
        port: Where it listens.
    """

    folder: Path
    options: tuple[str, ...] = ()
    port: int = 0
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Of its first database."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        program = shutil.which("redis-server")
        if program is None:
            pytest.skip("there is no redis-server (apt install redis-server)")
        if not self.port:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
        command = [program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        command += ["--dir", str(self.folder), "--appendonly", "yes", *self.options]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline_s = time.monotonic() + 20
        while True:
            try:
                with self.client() as client:
                    client.ping()
            except redis.RedisError:
                if self._process.poll() is not None or time.monotonic() > deadline_s:
                    raise
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """Kill it: what it has confirmed is there when it is started again."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @contextlib.contextmanager
    def client(self) -> Iterator[redis.Redis]:
        """To look into it."""
        client = redis.Redis(port=self.port, socket_timeout=5)
        try:
            yield client
        finally:
            client.close()


@contextlib.contextmanager
def running_redis(folder: Path, *options: str) -> Iterator[RedisServer]:
    """A Redis that runs while this does."""
    server = RedisServer(folder, options)
    try:
        server.start()
        yield server
    finally:
        server.stop()
