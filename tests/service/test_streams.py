"""A model's text on standard output."""

from __future__ import annotations

import io
import sys

import pytest

from service.observability.streams import say_exactly, visible

TEXT = "é\r\n\x1b[2J\t中\x9b"


@pytest.mark.parametrize("encoding", ["ascii", "utf-8", "latin-1"])
def test_a_file_gets_exactly_the_text(monkeypatch: pytest.MonkeyPatch, encoding: str):
    """Whatever the locale says."""
    content = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(content, encoding=encoding))

    assert say_exactly(TEXT)
    assert TEXT.encode() == content.getvalue()


def test_a_terminal_gets_no_commands(capsys, monkeypatch: pytest.MonkeyPatch):
    """Line feeds and tabs are text; all other control characters are shown."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    say_exactly(TEXT)

    assert "é\\r\n\\x1b[2J\t中\\x9b" == capsys.readouterr().out == visible(TEXT)
