"""Texts that are read while they come: whole, in time, and within the memory for bodies."""

import asyncio

import pytest
from starlette.exceptions import HTTPException

from service.api.bodies import Bodies
from service.api.errors import ClientGone
from service.api.native.plain_text import PlainText
from service.engine.errors import Draining, Overloaded
from service.inference.turnstile import Turnstile
from tests.service.api.test_bodies_in_turn import SlowTurnstile

_PIECE = 1000


@pytest.fixture(autouse=True)
def _short_pieces(monkeypatch):
    monkeypatch.setattr("service.api.native.plain_text._PIECE_CHARACTERS", _PIECE)


def _bodies(timeout_s=60.0, turnstile=None):
    return Bodies(500, 10**6, timeout_s, turnstile or Turnstile())


class Client:
    """Sends a text in parts, with a pause before each; notes the pieces that are read."""

    def __init__(self, bodies, parts, pause_s=0.0, client="a"):
        self.bodies = bodies
        self.parts: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.send(*parts)
        self.pause_s = pause_s
        self.client = client
        self.pieces: list[str] = []
        self.num_held: list[int] = []
        self.turn_s = 0.0

    def send(self, *parts):
        """More of it; None: the client leaves."""
        for part in parts:
            self.parts.put_nowait(part)

    async def _receive(self):
        await asyncio.sleep(self.pause_s)
        part = await self.parts.get()
        if part is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": part, "more_body": part != b""}

    async def read(self):
        """All of it."""
        with self.bodies.holding(self.client) as held:
            text = PlainText(self._receive, self.bodies, held)
            while await text.has_come():
                self.pieces.append(text.take())
                self.num_held.append(held.num_bytes)
                await asyncio.sleep(self.turn_s)


async def _ends(client):
    async with asyncio.timeout(5):
        await client.read()


async def test_it_arrives_whole_in_pieces_that_end_where_a_line_does():
    """If there is a line; however its characters are cut."""
    text = "".join(f"line {n}: é🙂\n" for n in range(300)) + "x" * 2500
    content = text.encode()
    client = Client(_bodies(), [*(content[n : n + 7] for n in range(0, len(content), 7)), b""])
    await _ends(client)

    assert text == "".join(client.pieces)
    assert max(map(len, client.pieces)) <= _PIECE
    assert all(piece[-1] in "\nx" for piece in client.pieces)
    assert len(client.pieces) <= 2 + len(text) // (_PIECE - 20)


async def test_nothing_has_come_of_an_empty_one():
    """Nor is anything held of it."""
    client = Client(_bodies(), [b""])
    await _ends(client)

    assert [] == client.pieces
    assert 0 == client.bodies.num_bytes


async def test_what_is_no_utf_8_is_refused_with_its_place():
    """Of the whole text."""
    client = Client(_bodies(), [b"a" * 1500, b"abc\xff", b""])

    with pytest.raises(HTTPException, match="near byte 1503") as refused:
        await _ends(client)
    assert 400 == refused.value.status_code


@pytest.mark.parametrize(("letter", "width"), [("a", 1), ("🙂", 4)])
async def test_what_is_here_of_it_is_accounted_for(letter, width, monkeypatch):
    """As it lies in memory, also while a piece of it is read; nothing of it afterwards."""
    monkeypatch.setattr("service.api.native.plain_text._PIECE_CHARACTERS", 30_000)
    bodies = _bodies()
    client = Client(bodies, [b"a" * 20_000, letter.encode()])
    reading = asyncio.create_task(client.read())
    await asyncio.sleep(0.02)
    assert 20_001 * width <= bodies.num_bytes < 20_001 * width + 100

    client.send(b"a" * 19_999, b"")
    await asyncio.wait_for(reading, 5)
    whole, rest = client.num_held
    assert 40_000 * width <= whole < 40_000 * width + 100
    assert rest < 10_000 + 100
    assert 0 == bodies.num_bytes


async def test_many_of_them_find_no_room():
    """As many other bodies would not."""
    bodies = Bodies(500, 10 * _PIECE * 20, 60.0, Turnstile())
    clients = [Client(bodies, [b"a" * 20 * _PIECE], client=str(n)) for n in range(12)]
    for client in clients:
        client.turn_s = 1.0
    reading = [asyncio.create_task(client.read()) for client in clients]
    done, running = await asyncio.wait(reading, timeout=0.2)

    assert all(isinstance(task.exception(), Overloaded) for task in done)
    assert len(done) >= 2
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    assert 0 == bodies.num_bytes


async def test_each_piece_has_the_time_of_a_body_and_no_more():
    """Whatever trickles in: no part of it begins the time anew."""
    client = Client(_bodies(timeout_s=0.1), [b"a"] * 900, pause_s=0.02)

    with pytest.raises(HTTPException) as refused:
        await _ends(client)
    assert 408 == refused.value.status_code


@pytest.mark.parametrize(("num_pieces", "pause_s", "turn_s"), [(10, 0.05, 0), (2, 0, 0.3)])
async def test_a_text_of_any_length_may_take_any_time(num_pieces, pause_s, turn_s):
    """As long as its pieces come; their turns are no time of the client's."""
    parts = [b"a" * _PIECE] * num_pieces
    client = Client(_bodies(timeout_s=0.25), [*parts, b""], pause_s)
    client.turn_s = turn_s
    await _ends(client)

    assert ["a" * _PIECE] * num_pieces == client.pieces


async def test_long_parts_wait_for_their_turn_and_not_in_the_clients_time(monkeypatch):
    """In the line of parts."""
    monkeypatch.setattr("service.api.native.plain_text._PIECE_CHARACTERS", 10**6)
    turnstile = SlowTurnstile(0.15)
    client = Client(_bodies(0.1, turnstile), [b"a" * 20_000, b"a" * 20_000, b""])
    await _ends(client)

    assert ["a uploads", "a uploads", "a"] == turnstile.lines


async def test_a_client_that_leaves_is_noticed():
    """Before its text is complete."""
    with pytest.raises(ClientGone):
        await _ends(Client(_bodies(), [b"a", None]))


async def test_a_server_that_goes_down_does_not_wait_for_more():
    """Not even for the time that the piece has."""
    bodies = _bodies()
    reading = asyncio.create_task(Client(bodies, [b"a"]).read())
    await asyncio.sleep(0.01)
    bodies.end()

    with pytest.raises(Draining):
        await asyncio.wait_for(reading, 5)
