"""HTTP as no library of ours would send it: the body arrives, or the refusal has the one shape."""

from __future__ import annotations

import contextlib
import json
import socket

import pytest

from tests.e2e.running_server import RunningServer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

BODY = b'{"prompt":"Once ","max_tokens":20,"seed":3}'
HEAD = b"POST /generate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
CLOSE = b"Connection: close\r\n"


def exchange(server: RunningServer, *parts: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send, and read to the end: status, headers, and the body as it lies on the wire."""
    with server.connect() as connection:
        for part in parts:
            connection.sendall(part)
        answer = b""
        while data := connection.recv(1 << 16):
            answer += data
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(status.split()[1]), headers, body


def length(body: bytes) -> bytes:
    """The header."""
    return b"Content-Length: %d\r\n" % len(body)


@pytest.mark.parametrize(
    "offer",
    [
        b"Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAM\r\n",
        b"Connection: upgrade, close\r\nUpgrade: h2c\r\n",
        b"Upgrade: websocket\r\nConnection: close, Upgrade\r\nSec-WebSocket-Key: x\r\n",
        b"Connection: close\r\nUpgrade: h2c\r\n",
    ],
)
@pytest.mark.parametrize("pieces", [1, 7, 1000])
def test_an_offer_to_upgrade_is_ignored_and_the_body_read(
    server: RunningServer, offer: bytes, pieces: int
):
    """As curl --http2 and Java's client make it, in whatever pieces it arrives."""
    expected = json.loads(exchange(server, HEAD + CLOSE + length(BODY) + b"\r\n" + BODY)[2])
    plain = HEAD + offer + length(BODY) + b"\r\n" + BODY
    chunked = HEAD + offer + b"Transfer-Encoding: chunked\r\n\r\n"
    chunked += b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
    for whole in (plain, chunked):
        size = -(-len(whole) // pieces)
        parts = [whole[n : n + size] for n in range(0, len(whole), size)]
        status, _, body = exchange(server, *parts)

        assert 200 == status, body
        assert expected["text"] in body.decode()


def test_a_connection_goes_on_after_an_offer(server: RunningServer):
    """The next request is parsed like any other."""
    offer = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
    first = HEAD + offer + length(BODY) + b"\r\n" + BODY
    second = b"GET /models HTTP/1.1\r\nHost: x\r\n" + CLOSE + b"\r\n"
    _, _, answer = exchange(server, first + second)

    assert b'"finish_reason":"length"' in answer
    assert b'"broken":{}' in answer


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "invalid_http"),  # TLS
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "invalid_http"),
        (b"GET /models HTTP/1.1\r\nbroken\x00header\r\n\r\n", 400, "invalid_http"),
        (HEAD + b"Content-Length: x\r\n\r\n", 400, "invalid_http"),
        (HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "invalid_http"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "invalid_http"),
        (b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400, "invalid_http"),
        (b"CONNECT example.org:80 HTTP/1.1\r\nHost: x\r\n\r\n", 405, "method_not_allowed"),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 101 + b"\r\n", 431, "head_too_large"),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 70_000, 431, "head_too_large"),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", 431, "head_too_large"),
        (b"GET /" + b"y" * 70_000, 431, "head_too_large"),
        (b"GET /" + b"y" * 70_000 + b" HTTP/1.1\r\n\r\n", 431, "head_too_large"),
        (b"GET http://host HTTP/1.1\r\nHost: x\r\n\r\n", 400, "invalid_http"),
        (b"GET http://host:65536/models HTTP/1.1\r\nHost: x\r\n\r\n", 400, "invalid_http"),
        (
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"y" * 600_000,
            431,
            "head_too_large",
        ),
        (
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;x=" + b"y" * 600_000,
            431,
            "head_too_large",
        ),
        (HEAD + b"Content-Length: 2000000\r\n\r\n" + b"a" * 2_000_000, 413, "body_too_large"),
        (
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"10000\r\n" + b"a" * 65_536 + b"\r\n"
            b"100000\r\n" + b"a" * 1_048_576 + b"\r\n0\r\n\r\n",
            413,
            "body_too_large",
        ),
    ],
)
def test_what_is_refused_below_the_application_has_the_one_shape(
    server: RunningServer, sent: bytes, status: int, code: str
):
    """And a request id; clients that are still sending see it."""
    with server.connect() as connection:
        connection.sendall(sent)
        answer = b""
        while b"}}" not in answer and (data := connection.recv(1 << 16)):
            answer += data
    head, _, body = answer.partition(b"\r\n\r\n")

    assert status == int(head.split()[1])
    assert {"code", "message", "param"} == set(json.loads(body)["error"])
    assert code == json.loads(body)["error"]["code"]
    assert b"x-request-id: r_" in head


def test_what_is_broken_behind_a_request_spoils_no_answer(server: RunningServer):
    """Nor does it leave a traceback."""
    whole = HEAD + length(BODY) + b"\r\n" + BODY
    expected = json.loads(exchange(server, HEAD + CLOSE + length(BODY) + b"\r\n" + BODY)[2])
    status, headers, body = exchange(
        server, whole + HEAD + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n"
    )

    assert (200, "close") == (status, headers["connection"])
    assert expected["text"] == json.loads(body)["text"]
    assert "Traceback" not in server.log.read_text(encoding="utf-8")


def test_a_head_without_end_costs_nothing(server: RunningServer):
    """The server stops reading soon: a hundred megabytes cannot be sent."""
    with server.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: ")
        sent = 0
        with contextlib.suppress(OSError):
            while sent < 100_000_000:
                connection.sendall(b"y" * (1 << 16))
                sent += 1 << 16

    assert sent < 50_000_000


def test_http_1_0_gets_no_chunks(server: RunningServer):
    """The body ends where the connection does."""
    head = b"POST /generate HTTP/1.0\r\nContent-Type: application/json\r\n"
    streamed = BODY[:-1] + b',"stream":true}'
    _, headers, answer = exchange(server, head + length(BODY) + b"\r\n" + BODY)
    status, stream_headers, stream = exchange(server, head + length(streamed) + b"\r\n" + streamed)

    assert json.loads(answer)["text"]
    assert str(len(answer)) == headers["content-length"]
    assert (200, "close") == (status, stream_headers["connection"])
    assert "transfer-encoding" not in stream_headers
    assert all(line.startswith(b"data: {") for line in stream.split(b"\n\n") if line)


def test_a_client_that_closes_its_sending_half_is_gone(server: RunningServer):
    """It cannot be told from one that has left."""
    with server.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
        connection.shutdown(socket.SHUT_WR)
        assert b"" == connection.recv(100)
