"""Crowds of requests: whatever they send, or do not send, they pass the event loop in turns."""

import asyncio
from collections import Counter

import pytest
from starlette.responses import PlainTextResponse

from service.api.bodies import Bodies, ReadBody
from service.api.origins import Cors, HostCheck
from service.inference.turnstile import Turnstile
from tests.service.api.test_bodies import Client

_LOOKS = 10
"""Requests without a body that begin in one iteration of the event loop at most."""


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


class ShutTurnstile(Turnstile):
    """Lets nobody through; notes in which lines they stand."""

    def __init__(self):
        super().__init__()
        self.lines: list[str] = []

    async def enter(self, _cost_s, client):
        """Wait for ever."""
        self.lines.append(client)
        await asyncio.Event().wait()


def scope_of(method="POST", path="/generate", **headers):
    """A request's head."""
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    client = ("192.0.2.1", 1)
    return {"type": "http", "method": method, "path": path, "headers": raw, "client": client}


async def most_at_once(app, scope, messages):
    """How many of a crowd of 40 are answered in one iteration of the event loop at most."""
    iteration = 0
    answered: Counter[int] = Counter()

    async def ask():
        coming = iter(messages)

        async def receive():
            return next(coming)

        async def send(message):
            if message["type"] == "http.response.start":
                answered[iteration] += 1

        await app(dict(scope), receive, send)

    crowd = [asyncio.create_task(ask()) for _ in range(40)]
    while not all(task.done() for task in crowd):
        await asyncio.sleep(0)
        iteration += 1
    await asyncio.gather(*crowd)
    assert 40 == answered.total()
    return max(answered.values())


async def _ok(scope, receive, send):
    await PlainTextResponse("ok")(scope, receive, send)


def _part(body=b"", *, more=False):
    return {"type": "http.request", "body": body, "more_body": more}


def _bodies(turnstile=None, timeout_s=60.0):
    return Bodies(10**6, 10**6, timeout_s, turnstile or Turnstile())


@pytest.mark.parametrize(
    "scope",
    [
        scope_of("GET"),
        scope_of("GET", content_length="0"),
        scope_of("POST"),
        scope_of("DELETE"),
        scope_of("OPTIONS"),
        scope_of("POST", transfer_encoding="chunked"),
        scope_of("POST", "/no/append", content_type="text/plain"),
        scope_of("POST", content_length="1000001"),
        scope_of("POST", content_encoding="gzip"),
    ],
    ids=["get", "empty-get", "post", "delete", "options", "chunked", "text", "413", "415"],
)
async def test_a_crowd_that_sends_no_body_passes_a_few_at_a_time(scope):
    """Whatever the method, and whatever is said of a body."""
    app = ReadBody(_ok, _bodies())

    assert await most_at_once(app, scope, [_part()]) <= _LOOKS


async def test_a_crowd_that_is_refused_passes_a_few_at_a_time():
    """For its time, after its first part."""
    app = ReadBody(_ok, _bodies())
    messages = [_part(b"a" * 10**6, more=True), _part(b"aa")]

    assert await most_at_once(app, scope_of(), messages) <= _LOOKS


async def test_a_crowd_that_leaves_in_its_bodies_passes_a_few_at_a_time():
    """As one that leaves later does."""
    app = ReadBody(_ok, _bodies())
    messages = [_part(b"a", more=True), {"type": "http.disconnect"}]

    assert await most_at_once(app, scope_of(), messages) <= 4


async def test_a_crowd_for_other_hosts_passes_a_few_at_a_time():
    """They are refused before anything is read of them."""
    app = HostCheck(_ok, None, _bodies().admit)

    assert await most_at_once(app, scope_of(host="evil.example"), []) <= _LOOKS


async def test_a_crowd_of_preflights_passes_a_few_at_a_time():
    """They are answered before anything else."""
    app = Cors(_ok, ["https://app.example.org"], _bodies().admit)
    scope = scope_of("OPTIONS", origin="https://evil.example", access_control_request_method="PUT")

    assert await most_at_once(app, scope, []) <= _LOOKS


async def test_a_request_with_a_body_passes_once():
    """What most send waits no second time."""
    turnstile, looks = SlowTurnstile(0), SlowTurnstile(0)
    bodies = _bodies(turnstile)
    bodies._looks = looks
    client = Client(bodies)
    client.send(3)

    assert (200, "3") == await client.run()
    assert (1, 0) == (len(turnstile.lines), len(looks.lines))


@pytest.mark.parametrize("wait_s", [0.04, 0.15])
async def test_the_time_in_which_the_server_lets_it_wait_is_not_the_clients(wait_s):
    """A long part takes its turn, be it later than the body is due; who sends on is not slow."""
    turnstile = SlowTurnstile(wait_s)
    client = Client(_bodies(turnstile, timeout_s=0.1))
    for n in range(4):
        client.send(20_000, more=n < 3)

    assert (200, "80000") == await client.run()
    assert 3 == turnstile.num_waits


async def test_after_a_part_has_waited_there_is_as_much_time_as_before():
    """And no more: what never comes is not waited for."""
    client = Client(_bodies(SlowTurnstile(), timeout_s=0.1))
    client.send(20_000, more=True)

    assert (408, "request_timeout") == await client.run()


async def test_a_server_that_goes_down_ends_the_wait_of_a_part():
    """Though no time of its client's passes."""
    bodies = _bodies(ShutTurnstile())
    client = Client(bodies)
    client.send(20_000, more=True)
    running = asyncio.create_task(client.run())
    await asyncio.sleep(0.01)
    bodies.end()

    assert (503, "shutting_down") == await asyncio.wait_for(running, 5)


async def test_a_long_part_that_comes_as_the_server_goes_down_is_the_last():
    """Its turn gives no time to what does not come."""
    bodies = _bodies()
    client = Client(bodies)
    client.send(20_000, more=True)
    bodies.end()

    assert (503, "shutting_down") == await asyncio.wait_for(client.run(), 5)


async def test_a_part_waits_in_a_line_of_its_own():
    """Not behind the requests that the same client has sent."""
    turnstile = SlowTurnstile(0)
    client = Client(_bodies(turnstile))
    client.send(20_000, more=True)
    client.send(1)
    await client.run()

    part, request = turnstile.lines
    assert part != request


async def test_a_request_without_a_body_does_not_wait_behind_texts():
    """A probe is answered while nobody who asks for a text passes."""
    turnstile = ShutTurnstile()
    bodies = _bodies(turnstile)
    client = Client(bodies)
    client.send(2)
    asking = asyncio.create_task(client.run())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await bodies.admit(scope_of("GET"))

    assert not asking.done()
    assert 1 == len(turnstile.lines)
    asking.cancel()


@pytest.mark.parametrize("content_type", ["application/json", "text/plain"])
async def test_who_leaves_waits_in_a_line_of_its_own(content_type):
    """A crowd that leaves in one moment is work as well, and nobody's request waits for it."""
    turnstile = SlowTurnstile(0)
    leaving = iter([_part(b"abc"), {"type": "http.disconnect"}])
    answers = []

    async def until_left(scope, receive, send):
        while (await receive())["type"] != "http.disconnect":
            pass
        await PlainTextResponse("gone")(scope, receive, send)

    async def receive():
        return next(leaving)

    async def send(message):
        answers.append(message)

    app = ReadBody(until_left, _bodies(turnstile))
    await app(scope_of("POST", "/x/append", content_type=content_type), receive, send)

    assert 200 == answers[0]["status"]
    assert ["192.0.2.1 leaving"] == [line for line in turnstile.lines if "leaving" in line]
    assert "192.0.2.1 leaving" == turnstile.lines[-1]
