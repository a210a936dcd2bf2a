"""Bodies: read whole, within bounds of size, time and memory; refusals in the one shape."""

import asyncio
import json

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from service.api.bodies import Bodies, Held, ReadBody
from service.engine.errors import Draining
from service.inference.turnstile import Turnstile


class Client:
    """Sends a body in parts, as told; `app` echoes its length."""

    def __init__(self, bodies):
        self.app = ReadBody(self._echo, bodies)
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
        scope = {"type": "http", "method": "POST", "headers": raw}
        async with asyncio.timeout(30):
            await self.app(scope, self.parts.get, send)
        body = b"".join(message.get("body", b"") for message in self.sent).decode()
        status = self.sent[0]["status"]
        return status, body if status == 200 else json.loads(body)["error"]["code"]


class SlowTurnstile(Turnstile):
    """Lets whoever comes wait for a while."""

    def __init__(self, wait_s=0.04):
        super().__init__()
        self.wait_s = wait_s
        self.lines: list[str] = []

    @property
    def num_waits(self) -> int:
        """Long parts that have waited."""
        return sum("uploads" in line for line in self.lines)

    async def enter(self, cost_s, client):
        """Wait, and pass."""
        self.lines.append(client)
        await asyncio.sleep(self.wait_s)
        await super().enter(cost_s, client)


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


async def test_all_together_are_bounded_until_their_requests_end():
    """A request keeps its body: so many bytes are really there."""
    bodies = _bodies(max_total_bytes=2000)
    first, second, third = [Client(bodies) for _ in range(3)]
    for client in (first, second, third):
        client.gate.clear()
        client.send(900)
    running = [asyncio.create_task(client.run()) for client in (first, second)]
    await asyncio.sleep(0)
    assert 1800 == bodies.num_bytes
    assert (429, "overloaded") == await third.run()
    first.gate.set()
    second.gate.set()

    assert [(200, "900")] * 2 == await asyncio.gather(*running)
    assert 0 == bodies.num_bytes


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
        with bodies.holding() as held:
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


async def test_the_time_in_which_the_server_lets_it_wait_is_not_the_clients():
    """A long part takes its turn; who sends on at once is not told to have been slow."""
    turnstile = SlowTurnstile()
    bodies = Bodies(10**6, 10**6, 0.05, turnstile)
    client = Client(bodies)
    for n in range(4):
        client.send(20_000, more=n < 3)

    assert (200, "80000") == await client.run()
    assert 3 == turnstile.num_waits


async def test_a_part_waits_in_a_line_of_its_own():
    """Not behind the requests that the same client has sent."""
    turnstile = SlowTurnstile(0)
    client = Client(Bodies(10**6, 10**6, 60, turnstile))
    client.send(20_000, more=True)
    client.send(1)
    await client.run()

    part, request = turnstile.lines
    assert part != request


class ShutTurnstile(Turnstile):
    """Lets nobody through; notes in which lines they stand."""

    def __init__(self):
        super().__init__()
        self.lines: list[str] = []

    async def enter(self, _cost_s, client):
        """Wait for ever."""
        self.lines.append(client)
        await asyncio.Event().wait()


async def test_a_request_without_a_body_does_not_wait_behind_texts():
    """A probe is answered while nobody who asks for a text passes."""
    turnstile = ShutTurnstile()
    bodies = Bodies(1000, 1000, 60, turnstile)
    asking = asyncio.create_task(
        bodies.read({"type": "http", "headers": []}, _one_part, Held(bodies))
    )
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await bodies.admit({"type": "http", "headers": []})

    assert not asking.done()
    assert 1 == len(turnstile.lines)
    asking.cancel()


async def test_who_leaves_waits_in_a_line_of_its_own():
    """A crowd that leaves in one moment is work as well, and nobody's request waits for it."""
    turnstile = SlowTurnstile(0)
    client = Client(Bodies(1000, 1000, 60, turnstile))
    client.send(3)
    client.leave()

    async def until_left(scope, receive, send):
        while (await receive())["type"] != "http.disconnect":
            pass
        await PlainTextResponse("gone")(scope, receive, send)

    client.app = ReadBody(until_left, Bodies(1000, 1000, 60, turnstile))
    assert (200, "gone") == await client.run()

    request, leaving = turnstile.lines
    assert request != leaving


async def _one_part():
    return {"type": "http.request", "body": b"{}", "more_body": False}
