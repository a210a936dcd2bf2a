"""Bodies: read whole, within bounds of size, time and memory; refusals in the one shape."""

import asyncio
import json

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from service.api.bodies import Bodies, ReadBody
from service.engine.errors import Draining
from service.inference.turnstile import Turnstile


class Client:
    """Sends a body in parts, as told; `app` echoes its length."""

    def __init__(self, bodies, address="192.0.2.1"):
        self.app = ReadBody(self._echo, bodies)
        self.address = address
        self.parts: asyncio.Queue[dict] = asyncio.Queue()
        self.sent: list[dict] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def _echo(self, scope, receive, send):
        body = await Request(scope, receive).body()
        await self.gate.wait()
        await PlainTextResponse(str(len(body)))(scope, receive, send)

    def send(self, size, *, more=False):
        """A part."""
        self.parts.put_nowait({"type": "http.request", "body": b"a" * size, "more_body": more})

    def leave(self):
        """Close the connection."""
        self.parts.put_nowait({"type": "http.disconnect"})

    async def run(self, **headers):
        """Status, and the text or the error's code."""

        async def send(message):
            self.sent.append(message)

        raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": "POST", "headers": raw, "client": (self.address, 1)}
        async with asyncio.timeout(30):
            await self.app(scope, self.parts.get, send)
        body = b"".join(message.get("body", b"") for message in self.sent).decode()
        status = self.sent[0]["status"]
        return status, body if status == 200 else json.loads(body)["error"]["code"]


def _bodies(max_bytes=1000, max_total_bytes=10_000, timeout_s=60.0):
    return Bodies(max_bytes, max_total_bytes, timeout_s, Turnstile())


async def test_a_body_arrives_whole():
    """In as many parts as it likes."""
    bodies = _bodies()
    client = Client(bodies)
    for more in (True, True, False):
        client.send(300, more=more)

    assert (200, "900") == await client.run()
    assert 0 == bodies.num_bytes


@pytest.mark.parametrize("declared", [{"content_length": "1001"}, {}])
async def test_one_that_is_too_large_is_refused_at_once(declared):
    """Before it is here, or as soon as it is too large."""
    client = Client(_bodies())
    if not declared:
        client.send(600, more=True)
        client.send(401, more=True)

    assert (413, "body_too_large") == await client.run(**declared)


async def test_one_that_is_too_slow_is_refused():
    """From the first byte on."""
    client = Client(_bodies(timeout_s=0.01))
    client.send(1, more=True)

    assert (408, "request_timeout") == await client.run()


async def test_one_that_is_cut_off_is_no_error_of_ours():
    """Only the log sees the answer."""
    client = Client(_bodies())
    client.send(1, more=True)
    client.leave()

    assert (499, "client_closed_request") == await client.run()


async def test_a_server_that_goes_down_waits_for_no_body():
    """Those that come get 503 at once, those that are complete go on."""
    bodies = _bodies()
    coming, complete, late = [Client(bodies) for _ in range(3)]
    complete.gate.clear()
    complete.send(5)
    coming.send(5, more=True)
    late.send(5, more=True)
    running = [asyncio.create_task(client.run()) for client in (coming, complete)]
    await asyncio.sleep(0)
    bodies.end()
    complete.gate.set()

    assert [(503, "shutting_down"), (200, "5")] == await asyncio.gather(*running)
    assert (503, "shutting_down") == await late.run()


async def test_a_server_that_goes_down_as_a_body_is_over_its_time_goes_down():
    """In the very iteration of the event loop in which the time-out fires."""
    bodies = Bodies(100, 1000, 0.05, Turnstile())
    scope = {"type": "http", "method": "POST", "headers": [], "client": ("192.0.2.1", 1)}

    async def receive():
        await asyncio.Event().wait()

    async def read():
        with bodies.holding("192.0.2.1") as held:
            await bodies.read(scope, receive, held)

    reading = asyncio.ensure_future(read())
    await asyncio.sleep(0)
    [timeout] = bodies._coming
    faults = []

    def end():
        try:
            bodies.end()
        except RuntimeError as error:
            faults.append(error)

    at_s = timeout.when()
    assert at_s is not None
    asyncio.get_running_loop().call_at(at_s, end)
    with pytest.raises((HTTPException, Draining)):
        await reading

    assert [] == faults
    assert bodies._are_over
