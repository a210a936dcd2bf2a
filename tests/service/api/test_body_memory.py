"""Memory of bodies: bounded, shared by clients, and no reason to refuse a short body."""

import asyncio

from service.api.bodies import Bodies
from service.inference.turnstile import Turnstile
from tests.service.api.test_bodies import Client

_LONG = 20_000
_SHORT = 16 << 10


class Crowd:
    """Clients whose bodies do not end; all have room for five long ones."""

    def __init__(self, max_bytes=5 * _LONG):
        self.bodies = Bodies(max_bytes, 5 * _LONG, 60.0, Turnstile())
        self.running: list[asyncio.Task] = []

    async def send(self, size, address):
        """All of a body but its end; tells what it is answered already, if it is."""
        client = Client(self.bodies, address)
        client.send(size, more=True)
        asking = asyncio.create_task(client.run())
        for _ in range(10):
            await asyncio.sleep(0.001)
        if asking.done():
            return asking.result()
        self.running.append(asking)
        return None

    async def ask(self, size, address):
        """A whole body, and its answer."""
        client = Client(self.bodies, address)
        client.send(size)
        return await client.run()

    async def leave(self):
        """All of them."""
        for asking in self.running:
            asking.cancel()
        await asyncio.gather(*self.running, return_exceptions=True)


async def test_all_together_are_bounded_until_their_requests_end():
    """A request keeps its body: so many bytes are really there."""
    bodies = Bodies(10**6, 2 * _LONG, 60.0, Turnstile())
    first, second, third = [Client(bodies, f"192.0.2.{n}") for n in range(3)]
    for client in (first, second, third):
        client.gate.clear()
        client.send(_LONG)
    running = [asyncio.create_task(client.run()) for client in (first, second)]
    await asyncio.sleep(0)
    assert 2 * _LONG == bodies.num_bytes
    assert (429, "overloaded") == await third.run()
    first.gate.set()
    second.gate.set()

    assert [(200, str(_LONG))] * 2 == await asyncio.gather(*running)
    assert 0 == bodies.num_bytes


async def test_a_short_body_is_not_refused_for_the_long_ones_of_others():
    """One byte below the bound all is full; long ones are refused, and short ones are not."""
    crowd = Crowd()
    for n in range(4):
        assert None is await crowd.send(_LONG, f"192.0.2.{n}")
    assert None is await crowd.send(_LONG - 1, "192.0.2.4")

    assert (200, str(_SHORT)) == await crowd.ask(_SHORT, "198.51.100.1")
    assert (200, "2") == await crowd.ask(2, "198.51.100.1")
    assert (429, "overloaded") == await crowd.ask(_LONG, "198.51.100.1")
    await crowd.leave()
    assert 0 == crowd.bodies.num_bytes


async def test_a_long_body_is_not_refused_for_short_ones():
    """Those are bounded by the number of connections."""
    crowd = Crowd()
    for _ in range(10):
        assert None is await crowd.send(_SHORT, "192.0.2.1")

    assert (200, str(_LONG)) == await crowd.ask(_LONG, "192.0.2.1")
    await crowd.leave()


async def test_one_client_has_half_of_the_room():
    """The long bodies of others still have theirs, as its own short ones have."""
    crowd = Crowd()
    answers = [await crowd.send(_LONG, "192.0.2.1") for _ in range(6)]
    assert [None] * 3 + [(429, "overloaded")] * 3 == answers

    assert (200, str(_LONG)) == await crowd.ask(_LONG, "192.0.2.2")
    assert (200, "2") == await crowd.ask(2, "192.0.2.1")
    await crowd.leave()
    assert [None] * 3 == [await crowd.send(_LONG, "192.0.2.1") for _ in range(3)]
    await crowd.leave()


async def test_a_body_as_large_as_all_the_room_is_taken_alone():
    """The share counts what a client has here besides."""
    crowd = Crowd()

    assert (200, str(5 * _LONG)) == await crowd.ask(5 * _LONG, "192.0.2.1")


async def test_nothing_is_left_of_those_who_were_here():
    """However many addresses they have."""
    crowd = Crowd()
    for n in range(50):
        assert (200, str(_LONG + n)) == await crowd.ask(_LONG + n, f"192.0.2.{n}")

    assert {} == crowd.bodies._memory._by_client
