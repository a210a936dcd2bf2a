"""A real `lstm-serve serve` process on a real socket."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.waiting import wait_for

REPOSITORY = Path(__file__).parents[2]
JSON = {"content-type": "application/json"}
_PROXIES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"]
OTHERS_SETTINGS = dict.fromkeys(_PROXIES, "http://127.0.0.1:9") | {"SSL_CERT_FILE": "/no/such"}
"""What an environment may hold for other programs: none of it is for a server or its probe."""
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""What httpx gets as `verify` where no TLS is spoken. It trusts nobody; without it every client and
every `httpx.get` first reads the machine's certificates, for 50 ms of a core."""


@dataclass
class RunningServer:
    """A server process; what it wrote is in `log`."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def client(self) -> httpx.Client:
        """A client that waits as long as a busy machine may need."""
        return httpx.Client(base_url=self.url, timeout=30, verify=PLAIN)

    def connect(self) -> socket.socket:
        """A bare connection, for clients that behave badly."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def send(self, body: dict[str, Any]) -> socket.socket:
        """POST /generate and read nothing."""
        content = json.dumps(body).encode()
        head = (
            "POST /generate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        )
        connection = self.connect()
        connection.sendall(head.encode() + content)
        return connection

    def engine(self) -> dict[str, Any]:
        """The first engine as /health/ready reports it."""
        report = httpx.get(f"{self.url}/health/ready", timeout=30, verify=PLAIN).json()
        return next(iter(report["models"].values()))

    def wait_until(self, **wanted: int) -> None:
        """Wait until the engine's counters are as wanted."""

        def as_wanted() -> bool:
            found = self.engine()
            assert found["alive"]
            return wanted == {name: found[name] for name in wanted}

        wait_for(as_wanted, f"an engine with {wanted}", timeout_s=60)

    def resident_bytes(self) -> int:
        """Resident memory of the process."""
        text = Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii")
        return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def terminate(self) -> None:
        """SIGTERM."""
        self.process.send_signal(signal.SIGTERM)


@contextmanager
def running_server(
    store: Path,
    folder: Path,
    *,
    environment: Mapping[str, str] | None = None,
    port: int | None = None,
    verify: Path | None = None,
    **settings: object,
) -> Iterator[RunningServer]:
    """Start a server with `LSTM_SERVE_<SETTING>`s, wait until it is ready; stop it in the end.

    With `verify` it speaks TLS, with a certificate that this file attests.
    """
    port = port or free_port()
    variables = os.environ | OTHERS_SETTINGS | dict(environment or {})
    variables |= {
        f"LSTM_SERVE_{name.upper()}": str(value)
        for name, value in {"model_store": store, "port": port, **settings}.items()
    }
    log = folder / f"server-{port}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "service.cli", "serve"],
            cwd=REPOSITORY,
            env=variables,
            stdout=output,
            stderr=output,
        )
    server = RunningServer(process, port, log)
    try:
        _wait_until_ready(server, verify)
        yield server
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    """One on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def read_stream(client: httpx.Client, body: dict[str, Any]) -> list[dict[str, Any]]:
    """All events of a streamed generation."""
    content = {**body, "stream": True}
    with client.stream("POST", "/generate", json=content) as response:
        assert 200 == response.status_code, response.read()
        return [
            json.loads(line.removeprefix("data: "))
            for line in response.iter_lines()
            if line.startswith("data: ")
        ]


def _wait_until_ready(server: RunningServer, verify: Path | None) -> None:
    url = f"{server.url if verify is None else server.url.replace('http', 'https')}/health/ready"
    trusted = ssl.create_default_context(cafile=str(verify)) if verify else PLAIN

    def is_ready() -> bool:
        if server.process.poll() is not None:
            raise RuntimeError(server.log.read_text(encoding="utf-8"))
        try:
            return httpx.get(url, verify=trusted).status_code == 200
        except httpx.HTTPError:
            return False

    wait_for(is_ready, "a server that is ready", timeout_s=60)
