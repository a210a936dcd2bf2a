"""Streams of events, on an application side without a server."""

import asyncio
import json

import pytest

from service.api.errors import ClientGone
from service.api.sse import EventStream, Failure
from service.engine.errors import TimedOut


class Connection:
    """What a server would give to a response: it never disconnects by itself."""

    def __init__(self):
        self.messages: list[dict] = []
        self.closed = 0

    async def receive(self):
        """Nothing."""
        await asyncio.Event().wait()

    async def send(self, message):
        """Keep it."""
        self.messages.append(message)

    async def close(self):
        """Count it."""
        self.closed += 1

    async def run(self, events, keep_alive_s=60.0, goes_on=lambda: False):
        """Send them all."""
        stream = EventStream(
            events,
            close=self.close,
            about=lambda: {"id": "g_1"},
            keep_alive_s=keep_alive_s,
            goes_on=goes_on,
        )
        async with asyncio.timeout(30):
            await stream({}, self.receive, self.send)

    @property
    def body(self) -> str:
        """All that was sent after the head."""
        return b"".join(m.get("body", b"") for m in self.messages).decode()


async def _events(*events, fails=None, waits=None):
    for event in events:
        yield "7", event
    if waits is not None:
        await waits.wait()
    if fails is not None:
        raise fails


async def test_a_failure_before_the_first_event_has_a_status_of_its_own():
    """Nothing was sent; the table of errors answers."""
    connection = Connection()
    with pytest.raises(TimedOut):
        await connection.run(_events(fails=TimedOut("late")))

    assert ([], 1) == (connection.messages, connection.closed)


async def test_a_failure_of_a_part_is_an_event_and_the_stream_goes_on():
    """It says what it is of; what comes afterwards is sent."""
    connection = Connection()

    async def events():
        yield "7", {"text": "a"}
        yield Failure(TimedOut("late"), {"index": 1})
        yield "8", {"text": "b"}

    await connection.run(events())
    sent = connection.body.split("\n\n")
    failure = next(each for each in sent if each.startswith("event: error"))
    data = json.loads(failure.partition("data: ")[2])
    assert ("timeout", 1) == (data["error"]["code"], data["index"])
    assert sent.index('data: {"text":"b"}\nid: 8') > sent.index(failure)


async def test_who_leaves_before_the_first_event_is_noticed(monkeypatch):
    """So that the log tells; afterwards it is an answer that was begun."""
    connection, gone = Connection(), asyncio.Event()

    async def leave():
        await gone.wait()
        return {"type": "http.disconnect"}

    monkeypatch.setattr(connection, "receive", leave)
    gone.set()
    with pytest.raises(ClientGone):
        await connection.run(_events(waits=asyncio.Event()))
    gone.clear()
    running = asyncio.ensure_future(connection.run(_events({"text": "a"}, waits=asyncio.Event())))
    await asyncio.sleep(0.01)
    gone.set()
    await running

    assert (2, '"text":"a"' in connection.body) == (connection.closed, True)


async def test_a_failure_after_it_is_an_event_that_says_what_it_is_about():
    """The id and whatever else the route tells."""
    connection = Connection()
    await connection.run(_events({"text": "a"}, fails=TimedOut("late")))

    assert 'data: {"text":"a"}\nid: 7' == connection.body.split("\n\n")[0]
    assert '"code":"timeout"' in connection.body
    assert '"id":"g_1"' in connection.body
    assert (False, 1) == (connection.messages[-1]["more_body"], connection.closed)


async def test_comments_keep_a_silent_stream_alive():
    """Before the first event, too; then a failure is an event."""
    connection, gate = Connection(), asyncio.Event()
    running = asyncio.create_task(
        connection.run(_events(waits=gate, fails=TimedOut("late")), keep_alive_s=0.01)
    )
    async with asyncio.timeout(30):
        while connection.body.count(": waiting\n\n") < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    gate.set()
    await running

    assert 200 == connection.messages[0]["status"]
    assert "event: error" in connection.body


async def test_an_event_is_one_line_for_every_reader_of_lines():
    """Unicode has more line breaks than JSON and SSE know."""
    text = "a\u2028b\u2029c\u0085d\r\ne"
    connection = Connection()
    await connection.run(_events({"text": text}))

    assert 2 == len(connection.body.strip().splitlines())
    assert {"text": text} == json.loads(connection.body.splitlines()[0].removeprefix("data: "))


async def test_events_of_one_moment_are_sent_together():
    """Each is an event of its own; the last of them takes the others along."""
    connection, goes_on = Connection(), iter([True, True, False, False])
    events = [{"text": text} for text in "abcd"]
    await connection.run(_events(*events), goes_on=lambda: next(goes_on))

    bodies = [m["body"].decode() for m in connection.messages if "body" in m]
    assert [3, 1, 0] == [body.count("data: ") for body in bodies]
    assert [{"text": text} for text in "abcd"] == [
        json.loads(line.removeprefix("data: "))
        for line in "".join(bodies).splitlines()
        if line.startswith("data: ")
    ]


async def test_what_was_to_go_together_is_sent_before_a_failure():
    """Nothing that was made is lost."""
    connection = Connection()
    events = _events({"text": "a"}, {"text": "b"}, fails=TimedOut("late"))
    await connection.run(events, goes_on=lambda: True)

    sent = connection.body.split("\n\n")
    assert ['data: {"text":"a"}\nid: 7', 'data: {"text":"b"}\nid: 7'] == sent[:2]
    assert sent[2].startswith("event: error")
    assert 200 == connection.messages[0]["status"]
