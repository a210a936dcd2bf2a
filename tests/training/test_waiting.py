"""What is seen before the first step."""

from __future__ import annotations

import time
from io import StringIO

import pytest
from rich.console import Console

from tests.training.documented import documented
from training import waiting as module
from training.waiting import SILENT, Waiting, Work


def pipe() -> Console:
    """What is no terminal."""
    return Console(file=StringIO(), width=20)


def shown(console: Console) -> str:
    """All of it."""
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_lines_into_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """How far it is and since when, again and again, while the work itself says nothing."""
    monkeypatch.setattr(module, "_LINE_INTERVAL_S", 0.02)
    console = pipe()
    with Waiting(console).during("tokens of the train part", 8_000) as work:
        assert list(work.over(["abcd" * 1_000])) == ["abcd" * 1_000]
        time.sleep(0.2)
    lines = shown(console).splitlines()
    assert len(lines) > 1
    assert documented("tokens of the train part") + ": 50% of 8,000 characters, 0 s" in lines
    time.sleep(0.1)
    assert shown(console).splitlines() == lines


def test_work_of_unknown_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Says how long it has taken, and ends with an error of the work."""
    monkeypatch.setattr(module, "_LINE_INTERVAL_S", 0.02)
    console = pipe()

    def fail() -> None:
        with Waiting(console).during("joining [pairs]"):
            time.sleep(0.1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert "joining [pairs]: 0 s" in shown(console).splitlines()


def test_work_whose_end_nobody_knows() -> None:
    """So much is done; of another unit, and not all of it."""
    work = Work("reading the text")
    assert str(work) == "reading the text: 0 s"
    work.add(7_000)
    assert str(work) == "reading the text: 7,000 characters, 0 s"
    work = Work("checksum of the text", 2_000, "bytes")
    work.add(500)
    assert str(work) == "checksum of the text: 25% of 2,000 bytes, 0 s"


def test_a_terminal_has_one_line_that_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is gone afterwards."""
    monkeypatch.setattr(module, "_REDRAW_INTERVAL_S", 0.02)
    console = Console(file=StringIO(), width=80, force_terminal=True)
    with Waiting(console).during("joining [pairs]"):
        time.sleep(0.2)
    assert "joining [pairs]: 0 s" in shown(console)
    assert "\x1b[2K" in shown(console)


def test_short_work_and_silence() -> None:
    """Nothing is shown of what is done at once, or where nobody looks."""
    console = pipe()
    for waiting in (SILENT, Waiting(console)):
        with waiting.during("counting characters", 1) as work:
            assert list(work.over("a")) == ["a"]
        waiting.say("[old] and a line that is longer than the console is wide")
    assert shown(console) == "[old] and a line that is longer than the console is wide\n"
