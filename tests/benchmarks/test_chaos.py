"""The chaos runs, and it finds a text that is not what it was."""

import pytest

from benchmarks import chaos


def test_texts_are_the_same_in_chaos(capsys):
    """A few, with everything that may happen to them."""
    with pytest.raises(SystemExit) as ended:
        chaos.main(["--requests", "60", "--seed", "3"])

    printed = capsys.readouterr().out
    assert "0 differ; 0 tracebacks" in printed
    assert 0 == ended.value.code
    assert "alone: {'reads': 6" in printed


def test_another_text_is_found(monkeypatch, capsys):
    """A reference that is not true."""
    talk = chaos.Client.talk

    async def lie(self, each):
        await talk(self, each)
        each.told[0]["num_tokens"] += 1

    monkeypatch.setattr(chaos.Client, "talk", lie)
    with pytest.raises(SystemExit) as ended:
        chaos.main(["--requests", "5"])

    assert 1 == ended.value.code
    assert "differs: " in capsys.readouterr().out
