"""A server behind a proxy whose every answer is a test's to give: what a real one does rarely."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PATIENCE_S = 30


class Exchange(BaseHTTPRequestHandler):
    """One connection: reads requests, and answers as its server's `answer` says."""

    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        if self.path == "/health/ready":  # a proxy's own question
            self.say(200)
            return
        upstream: Upstream = self.server.upstream  # type: ignore[attr-defined]
        upstream.seen.append((self.command, self.path, dict(self.headers)))
        upstream.peers.add(self.client_address)
        upstream.answer(self)

    do_GET = do_POST = do_DELETE = _answer

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing: the requests are in `seen`."""

    def body(self) -> bytes:
        """The whole body of known length."""
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def chunk(self) -> bytes:
        """The next chunk of a body of unknown length; empty at its end."""
        size = int(self.rfile.readline().split(b";")[0], 16)
        data = self.rfile.read(size)
        self.rfile.readline()
        return data

    def say(self, status: int, body: bytes = b"{}", **headers: str) -> None:
        """Answer in one piece; `Retry_After` is the header `Retry-After`."""
        self.send_response(status)
        for name, value in {"Content_Type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def begin_stream(self) -> None:
        """Answer with events to come."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def send(self, data: bytes) -> None:
        """Send a chunk; an empty one ends the stream."""
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def hang_up(self) -> None:
        """Close the connection in the middle of whatever it is."""
        self.close_connection = True


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Proxies break connections off; what is wrong beyond that, a test's client sees."""


@dataclass
class Upstream:
    """A server on 127.0.0.1; `answer` may be replaced at any time.

    Attributes:
        port: Where it listens.
        answer: What is done with each request.
        seen: Method, path and headers of each request so far.
        peers: Addresses of the connections that they came on.
        go_on: Tests let an answer wait for them by this.
    """

    port: int
    answer: Callable[[Exchange], None]
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    peers: set[tuple[str, int]] = field(default_factory=set)
    go_on: threading.Event = field(default_factory=threading.Event)

    def wait(self) -> None:
        """Wait until the test says `go_on`."""
        assert self.go_on.wait(PATIENCE_S), "the test never went on"


@contextmanager
def upstream(answer: Callable[[Exchange], None] = Exchange.hang_up) -> Iterator[Upstream]:
    """A running one."""
    server = _Server(("127.0.0.1", 0), Exchange)
    found = Upstream(server.server_port, answer)
    server.upstream = found  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield found
    finally:
        found.go_on.set()
        server.shutdown()
        thread.join()
        server.server_close()
