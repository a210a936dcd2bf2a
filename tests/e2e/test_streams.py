"""Standard output and error that are full, closed, or that nobody reads any more."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.e2e.running_server import PLAIN, REPOSITORY, RunningServer
from tests.e2e.test_lifecycle import lstm_serve
from tests.waiting import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

COMMAND = f"{shlex.quote(sys.executable)} -m service.cli"


def run(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line of the shell; its exit status is that of the first command in it."""
    return subprocess.run(
        ["bash", "-c", command + '; exit "${PIPESTATUS[0]}"'],
        cwd=REPOSITORY,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def free_port() -> int:
    """Which nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    "where",
    ["| true", ">/dev/full", ">&-", ">&- 2>&-", "2>/dev/full", "2> >(true)", "<&- >&- 2>&-"],
)
def test_a_server_that_nobody_listens_to_serves_on(store: Path, where: str):
    """It answers, logs to nobody, and ends when it is told to."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    line = f"{COMMAND} serve --port {port} --model-store {shlex.quote(str(store))} {where}"
    process = subprocess.Popen(["bash", "-c", line], cwd=REPOSITORY, start_new_session=True)

    def ready() -> bool:
        try:
            return httpx.get(f"{url}/health/ready", verify=PLAIN).status_code == 200
        except httpx.HTTPError:
            return False

    try:
        wait_for(ready, "a server that is ready", timeout_s=60)
        for _ in range(20):
            answer = httpx.post(
                f"{url}/generate", json={"prompt": "a", "max_tokens": 5}, verify=PLAIN
            )
            assert 200 == answer.status_code
        assert 404 == httpx.get(f"{url}/nowhere", verify=PLAIN).status_code
        os.killpg(process.pid, signal.SIGTERM)
        wait_for(lambda: process.poll() is not None, "an end")
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.mark.parametrize("words", ["models", "--help", "serve --help", "--print-completion bash"])
@pytest.mark.parametrize("reader", ["| head -0", "| true", ">&-"])
def test_a_reader_who_has_left_is_no_error(store: Path, words: str, reader: str):
    """Nothing is said about it."""
    result = run(f"{COMMAND} {words} {reader}", LSTM_SERVE_MODEL_STORE=str(store))

    assert (0, "") == (result.returncode, result.stderr)


@pytest.mark.parametrize("words", ["models", "--help", "--version", "--print-completion bash"])
def test_what_could_not_be_written_is_an_error(store: Path, words: str):
    """One line with the reason."""
    result = run(f"{COMMAND} {words} >/dev/full", LSTM_SERVE_MODEL_STORE=str(store))

    expected = "lstm-serve: cannot write to standard output: No space left on device\n"
    assert (1, expected) == (result.returncode, result.stderr)


@pytest.mark.parametrize("where", ["2>&-", "2>/dev/full", ">&- 2>&-"])
def test_complaints_that_nobody_can_read(where: str):
    """The exit status still tells."""
    assert 2 == run(f"{COMMAND} serve --port x {where}").returncode
    assert 1 == run(f"{COMMAND} models --model-store /no/such {where}").returncode


@pytest.mark.parametrize(("where", "lines"), [(">/dev/full", 1), (">&-", 0), ("| true", 0)])
def test_a_health_check_tells_by_its_exit_status(server: RunningServer, where: str, lines: int):
    """Whether or not anybody reads the report."""
    result = run(f"{COMMAND} healthcheck --port {server.port} {where}")

    assert (0, lines) == (result.returncode, result.stderr.count("\n"))
    assert "Traceback" not in result.stderr


@contextmanager
def answering(answer: bytes | None) -> Iterator[int]:
    """A port where somebody else gives this answer to everything; None for no answer at all."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer_all() -> None:
            while not over.is_set():
                connection, _ = listening.accept()
                with connection:
                    if over.is_set():
                        return
                    if answer is None:
                        over.wait(30)
                    else:
                        connection.recv(1 << 16)
                        connection.sendall(answer)

        thread = threading.Thread(target=answer_all, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        over.set()
        socket.create_connection(listening.getsockname()).close()  # it waits for nobody any more
        thread.join()


@pytest.mark.parametrize(
    "answer",
    [
        None,
        b"",
        b"220 mail.example.org ESMTP\r\n",
        b"\x16\x03\x01\x00\xff" * 40,
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 30\r\n\r\n<html>\n<body>\n\n\nno</body></html>",
        b"HTTP/1.1 500 \xff\r\nContent-Length: 4\r\n\r\n\xff\xfe\r\n",
    ],
    ids=["silence", "end", "mail", "tls", "cut", "gzip", "redirect", "page", "bytes"],
)
def test_a_health_check_fails_in_one_line(answer: bytes | None):
    """Whatever is there in place of the server."""
    with answering(answer) as port:
        result = lstm_serve("healthcheck", "--port", str(port))

    assert (1, "", 1) == (result.returncode, result.stdout, result.stderr.count("\n"))
    assert result.stderr.startswith("lstm-serve: no")
