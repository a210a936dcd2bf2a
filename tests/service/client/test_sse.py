"""Events out of bytes, against an independent parser too."""

from __future__ import annotations

import pytest
from httpx_sse._decoders import SSEDecoder
from hypothesis import given
from hypothesis import strategies as st

from service.client.sse import EventParser, ServerEvent

STREAM = (
    "\ufeff: waiting\n\n"
    'data: {"text":"é中"}\nid: 1-a\n\n'
    "data: one\ndata:two\ndata\ndata:  three\n\n"
    "event: error\r\ndata: x\r\n\r\n"
    "id: bad\0id\rdata: y\r\r"
    ": a comment\nretry: 10\nunknown: z\nid: 2-b\n\n"
    "data: last\n\n"
    "data: cut off\n"
).encode()
EVENTS = [
    ServerEvent("message", '{"text":"é中"}', "1-a"),
    ServerEvent("message", "one\ntwo\n\n three", "1-a"),
    ServerEvent("error", "x", "1-a"),
    ServerEvent("message", "y", "1-a"),
    ServerEvent("message", "last", "2-b"),
]


@pytest.mark.parametrize("size", range(1, 12))
def test_events_are_the_same_however_they_are_cut(size: int):
    """Comments, lines of data, each kind of line end; what is cut off is no event."""
    parser = EventParser()
    found = []
    for start in range(0, len(STREAM), size):
        found += parser.feed(STREAM[start : start + size])

    assert EVENTS == found
    assert "2-b" == parser.last_event_id


def test_an_id_counts_once_its_event_is_complete():
    """Or what follows it would be left out."""
    parser = EventParser("0-z")
    parser.feed(b"data: a\nid: 1-a\n")

    assert "0-z" == parser.last_event_id


LINES = st.lists(
    st.sampled_from(["data: a", "data:b ", "data", ": c", "id: 7", "event: e", "", "", "x: y"])
)


@given(LINES, st.sampled_from(["\n", "\r\n"]), st.integers(1, 7))
def test_it_finds_what_another_parser_finds(lines: list[str], end: str, size: int):
    """That of httpx-sse."""
    content = "".join(line + end for line in lines).encode()
    parser = EventParser()
    found = []
    for start in range(0, len(content), size):
        found += parser.feed(content[start : start + size])
    decoder = SSEDecoder()
    wanted = [event for line in lines if (event := decoder.decode(line)) and event.data]

    assert [(e.event, e.data, e.id) for e in wanted] == [
        (e.event, e.data, e.id) for e in found if e.data
    ]
