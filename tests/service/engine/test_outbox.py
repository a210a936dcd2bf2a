import asyncio

import numpy as np

from service.engine import outbox
from service.engine.outbox import Outbox, make_way
from service.engine.request import Chunk, Finished
from service.engine.stream import TokenStream


def _stream() -> TokenStream:
    return TokenStream(0, lambda _: 0, lambda _: 0, lambda stream, _: stream)


def _chunk(stream: TokenStream, num_tokens: int) -> Chunk:
    stream.num_sent += num_tokens
    return Chunk(np.arange(num_tokens), None)


async def test_it_tells_how_many_texts_have_begun():
    """Not one that only has a row to carry, nor one of which something was seen before."""
    box, stream, loop = Outbox(), _stream(), asyncio.get_running_loop()
    found = []
    for num_tokens in (0, 2, 3):
        box.put(stream, _chunk(stream, num_tokens))
        found.append(box.publish(loop))
    box.put(stream, Finished("length", None))

    assert [0, 1, 0, 0] == [*found, box.publish(loop)]
    events = [await stream.next() for _ in range(3)]
    assert [0, 2, 3] == [len(each.token_N) for each in events if isinstance(each, Chunk)]


async def test_way_is_made_until_a_reader_has_gone_on(monkeypatch):
    """It has the event, and has done what it does at once with it, before the thread goes on."""
    monkeypatch.setattr(outbox, "_MOST_S", 30.0)
    box, stream, loop = Outbox(), _stream(), asyncio.get_running_loop()
    happened = []

    async def read():
        await stream.next()
        happened.append("sent")

    def publish():
        box.put(stream, _chunk(stream, 2))
        box.publish(loop)
        make_way(loop)
        happened.append("went on")

    await asyncio.gather(read(), asyncio.to_thread(publish))

    assert ["sent", "went on"] == happened


def test_an_event_loop_that_stands_still_or_is_closed_holds_nobody():
    """The thread goes on by itself."""
    loop = asyncio.new_event_loop()
    make_way(loop)
    loop.close()
    make_way(loop)
    box, stream = Outbox(), _stream()
    box.put(stream, _chunk(stream, 2))

    assert not box.publish(loop)
