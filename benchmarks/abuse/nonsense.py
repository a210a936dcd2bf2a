"""Attacks by what is no HTTP, no JSON, or no request."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator

from benchmarks.abuse.line import request
from benchmarks.abuse.scene import Scene, case

_JSON = b"Content-Type: application/json\r\n"
_POST = b"POST /generate HTTP/1.1\r\nHost: x\r\n" + _JSON
_BODY = b'{"prompt":"ROMEO:","max_tokens":3}'
_SIZED = b"Content-Length: %d\r\n" % len(_BODY)
_UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: "
_GET = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"

_NO_HTTP = (
    b"\r\n\r\n\r\n\r\n",
    b"hello\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET /health/live\r\n\r\n",
    b"GET /health/live HTTP/9.9\r\nHost: x\r\n\r\n",
    b"GET /health/live HTTX/1.1\r\nHost: x\r\n\r\n",
    b"get /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET  /health/live  HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /health/\x00live HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /%00%ff%c0%af HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /health/live HTTP/1.1\r\n\r\n",
    b"GET http://127.0.0.1/health/live HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET * HTTP/1.1\r\nHost: x\r\n\r\n",
    b"CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(300),
    bytes(range(256)) * 4,
    _GET + b"X\x00Y: 1\r\n\r\n",
    _GET + b"X: a\x00b\r\n\r\n",
    _GET + b": no name\r\n\r\n",
    _GET + b"no colon\r\n\r\n",
    _GET + b" folded: line\r\n\r\n",
    _GET + b"X : space\r\n\r\n",
    _GET.replace(b"\r\n", b"\n") + b"\n",
    _GET + b"Content-Length: -1\r\n\r\n",
    _GET + b"X-Request-Id: \xff\xfe\r\n\r\n",
    _GET + b"X-Request-Id: " + b"i" * 5000 + b"\r\n\r\n",
)
_WRONG_BODIES = (
    _POST + b"Content-Length: abc\r\n\r\n" + _BODY,
    _POST + b"Content-Length: 99999999999999999999999999\r\n\r\n" + _BODY,
    _POST + _SIZED + b"Content-Length: 3\r\n\r\n" + _BODY,
    _POST + _SIZED + b"Transfer-Encoding: chunked\r\n\r\n" + _BODY,
    _POST + b"Content-Length: 5\r\n\r\n" + _BODY,
    _POST + b"Content-Length: 500\r\n\r\n" + _BODY,
    _POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + _BODY,
    _POST + b"Transfer-Encoding: chunked\r\n\r\n-5\r\n" + _BODY,
    _POST + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n" + _BODY,
    _POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n" + _BODY + b"\r\n0\r\n\r\n",
    _POST + b"Transfer-Encoding: gzip\r\n\r\n" + _BODY,
    _POST + b"Content-Encoding: gzip\r\n" + _SIZED + b"\r\n" + _BODY,
    _POST + b"Content-Encoding: br\r\n" + _SIZED + b"\r\n" + _BODY,
    _POST + b"Expect: 200-nothing\r\n" + _SIZED + b"\r\n" + _BODY,
    *(
        _POST + b"Content-Length: %d\r\n\r\n" % len(content) + content
        for content in (
            b"",
            b"\x00" * 100,
            b'{"prompt": "\xff\xfe"}',
            b'\xef\xbb\xbf{"max_tokens": 1}',
            '{"max_tokens": 1}'.encode("utf-16"),
            b'{"prompt": "\\ud800", "max_tokens": 1}',
            b'{"prompt": "a\\u0000b", "max_tokens": 1}',
            b'{"prompt": "a\nb", "max_tokens": 1}',
            b"[" * 100_000,
            b'{"a":' * 100_000,
            b'{"stop":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
            b'{"max_tokens": 1' + b"0" * 100_000 + b"}",
            b'{"temperature": NaN}',
            b'{"temperature": 1e999}',
            b'{"prompt": "a", "prompt": 5}',
            b'{"session": "\\u0000", "max_tokens": 1}',
            b'{"session": "' + b"s" * 100_000 + b'"}',
            b'{"model": "../../etc/passwd"}',
            b'{"model": "' + b"m" * 100_000 + b'"}',
            b"null",
            b'"text"',
            b"5",
        )
    ),
)
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "BREW")
_ROUTES = (
    *("/", "/generate", "/generate/", "/sessions", "/sessions/", "/sessions/s_absent"),
    *("/models", "/models/", "/models/shakespeare", "/models/absent", "/models/a%2Fb"),
    *("/health/live", "/health/ready", "/health", "/docs", "/docs/", "/redoc", "/openapi.json"),
    *("/../etc/passwd", "/%2e%2e/etc/passwd", "//example.org/", "/nothing?a=%00&b=\\"),
    "/generate?model=absent",
)


@case("no-http")
async def no_http(scene: Scene) -> None:
    """Sends what is no HTTP/1.1: wrong lines, versions, names and bytes; four at a time."""
    await _send_all(scene, _NO_HTTP)


@case("wrong-bodies")
async def wrong_bodies(scene: Scene) -> None:
    """Sends wrong lengths, chunks, codings, characters and JSON; four at a time."""
    await _send_all(scene, _WRONG_BODIES)


async def _send_all(scene: Scene, contents: tuple[bytes, ...]) -> None:
    """Send each again and again; for an answer or an end they wait for 2 s only."""
    left: Iterator[bytes] = itertools.cycle(contents)

    async def send() -> None:
        content = next(left)
        answer = await scene.ask_raw(content, timeout_s=2.0)
        if answer.status >= 500:
            scene.fault(f"status {answer.status}", repr(content[:80]))
        await asyncio.sleep(0.01)

    part = scene.part(scene.seconds / 2)
    await scene.crowd(part.again(send) for _ in range(4))


@case("methods-and-routes")
async def methods_and_routes(scene: Scene) -> None:
    """Tries ten methods on all routes and some that are none, with and without a body."""
    for method, route, body in itertools.product(_METHODS, _ROUTES, (None, b'{"max_tokens":1}')):
        answer = await scene.ask_raw(request(method, route, body), method, timeout_s=5.0)
        asked = f"{method} {route}"
        if answer.status >= 500 or 300 <= answer.status < 400:
            scene.fault(f"status {answer.status}", asked)
        if answer.status == 405 and "allow" not in answer.headers:
            scene.fault("405 without Allow", asked)
        if method == "HEAD" and answer.status != await _status_of_get(scene, route, body):
            scene.fault("another status than GET's", asked)


async def _status_of_get(scene: Scene, route: str, body: bytes | None) -> int:
    return (await scene.ask_raw(request("GET", route, body), timeout_s=5.0)).status


@case("other-dialects")
async def other_dialects(scene: Scene) -> None:
    """Offers upgrades, speaks HTTP/1.0, expects 100-continue and sends requests in one go."""
    offers = {
        "Upgrade: h2c": _UPGRADE + b"h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
        "Upgrade: websocket": _UPGRADE + b"websocket\r\nSec-WebSocket-Version: 13\r\n",
        "Upgrade: TLS/1.0": _UPGRADE + b"TLS/1.0\r\n",
        "Expect: 100-continue": b"Expect: 100-continue\r\n",
        "nothing": b"",
    }

    async def once() -> None:
        for name, offer in offers.items():
            answer = await scene.ask_raw(_POST + offer + _SIZED + b"\r\n" + _BODY, timeout_s=3.0)
            if answer.status != 200:
                scene.fault(f"{name} with a body: status {answer.status}")
        body = _BODY.replace(b"}", b',"stream":true}')
        head = _POST.replace(b"HTTP/1.1", b"HTTP/1.0") + b"Content-Length: %d\r\n\r\n" % len(body)
        answer = await scene.ask_raw(head + body, timeout_s=3.0)
        if "transfer-encoding" in answer.headers or answer.status != 200:
            scene.fault(f"HTTP/1.0: status {answer.status}, in chunks or not at all")
        async with scene.line() as line:
            await line.send((_GET + b"\r\n") * 100)
            for _ in range(100):
                await line.answer()
        await asyncio.sleep(0.05)

    await scene.part(scene.seconds / 2).again(once)
