"""The crowd in every dialect runs, through kill -9, and it finds what should not be."""

from __future__ import annotations

import asyncio
import json

import pytest

from benchmarks.dialects import __main__ as program
from benchmarks.dialects.asking import Asker
from benchmarks.dialects.dialects import (
    DIALECTS,
    Asked,
    is_kserve_error,
    is_native_error,
    is_openai_error,
)
from benchmarks.dialects.found import Found


@pytest.mark.timeout(300)
def test_a_crowd_through_a_kill(capsys):
    """A few clients, for a moment."""
    with pytest.raises(SystemExit) as ended:
        program.main(["--minutes", "0.2", "--clients", "12", "--kills", "1"])

    printed = capsys.readouterr().out
    assert 0 == ended.value.code, printed
    assert "kill -9" in printed
    for name in ("texts that differ", "turns lost", "kills that did not happen", "tracebacks"):
        assert f"{name}: 0" in printed
    assert "sessions" in printed


async def test_what_should_not_be_is_found():
    """A text that is another one, one that was cut, and an error of another dialect."""
    found = Found()
    [native, completions, *_] = DIALECTS
    asked = _asked()
    asker = Asker(("127.0.0.1", 9), "127.0.0.1", found, {(native.name, asked): "To be"})

    asker._compare(native, asked, "To be", is_whole=True)
    asker._compare(native, asked, "To", is_whole=False)
    assert 0 == found.differs
    asker._compare(native, asked, "To", is_whole=True)
    asker._compare(native, asked, "To bee", is_whole=False)
    assert 2 == found.differs

    body = json.dumps({"error": "no"}).encode()
    shape = completions.has_shape(body)
    found.note_error(completions.name, body, has_shape=shape, has_id=True)
    found.note_version("s", 3, 2)
    found.note_version("t", 3, 5)
    assert (1, 1, 2) == (found.outside, found.lost, found.doubled)


def test_each_dialect_has_a_shape_of_its_own():
    """No error passes for one of another dialect."""
    kserve = b'{"error": "no"}'
    native = b'{"error": {"code": "a", "message": "b", "param": null}}'
    openai = b'{"error": {"code": "a", "message": "b", "param": null, "type": "c"}}'
    told = [
        [is_kserve_error(body), is_native_error(body), is_openai_error(body)]
        for body in (kserve, native, openai, b"{", b"[]", b"{}")
    ]

    assert [[n == place for n in range(3)] for place in range(3)] == told[:3]
    assert not any(map(any, told[3:]))


def test_nobody_listens():
    """It is noted, and asked for again later."""
    found = Found()
    asker = Asker(("127.0.0.1", 9), "127.0.0.1", found, None)
    text = asyncio.run(asker.ask(DIALECTS[0], _asked(), stream=True))

    assert text is None
    assert {"no connection": 1} == found.outcomes["native"]


def _asked() -> Asked:
    """Something to ask for."""
    return Asked("To", 1, 8)
