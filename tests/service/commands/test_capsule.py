"""`lstm-serve capsule inspect`."""

from __future__ import annotations

import base64
import io
import sys
from pathlib import Path

import pytest

from service import cli
from service.sessions.capsules.seal import Content, seal, to_text

KEY = bytes(range(32))
KEYS = "old:" + base64.b64encode(KEY).decode()
CAPSULE = seal(Content("tiny@1", b"\xab" * 32, 7, b""), "old", KEY, now_s=1000, ttl_s=60)


@pytest.mark.parametrize("content", [CAPSULE, to_text(CAPSULE).encode() + b"\n"])
def test_with_its_key_all_is_said(tmp_path: Path, content: bytes, capsys, monkeypatch):
    """Of bytes and of text, also when it has expired; never the key."""
    (tmp_path / "mine").write_bytes(content)
    monkeypatch.setenv("LSTM_SERVE_CAPSULE_KEYS", KEYS)

    assert 0 == cli.main(["capsule", "inspect", str(tmp_path / "mine")])
    shown = capsys.readouterr().out
    for word in (
        "old",
        "1970-01-01T00:16:40",
        "1970-01-01T00:17:40",
        "tiny@1",
        "abab",
        "seed     7",
    ):
        assert word in shown
    assert KEYS[4:] not in shown


def test_without_its_key_the_header_is_said(capsys, monkeypatch):
    """And that it proves nothing; `-` is standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(CAPSULE), encoding="utf-8"))

    assert 0 == cli.main(["capsule", "inspect", "-"])
    shown = capsys.readouterr().out
    assert "old" in shown
    assert "not at hand" in shown
    assert "tiny" not in shown


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"hello", "base64url"),
        (b"\xff\x00", "base64url"),
        (CAPSULE[:30], "cut off"),
        (CAPSULE[:-1] + bytes([CAPSULE[-1] ^ 1]), "not authentic"),
        (None, "No such file"),
    ],
    ids=["text", "bytes", "cut", "flipped", "missing"],
)
def test_what_is_no_capsule_is_refused(tmp_path: Path, content, part: str, capsys):
    """In a line that names the file."""
    path = tmp_path / "mine"
    if content is not None:
        path.write_bytes(content)
    (tmp_path / "keys").write_text(KEYS, encoding="utf-8")
    keys = ["--capsule-keys-file", str(tmp_path / "keys")]

    assert 1 == cli.main(["capsule", "inspect", *keys, str(path)])
    shown = capsys.readouterr().err
    assert part in shown
    assert str(path) in shown


def test_wrong_keys_are_not_shown(tmp_path: Path, capsys):
    """Nor are those of the environment in the help."""
    assert 2 == cli.main(["capsule", "inspect", "--capsule-keys", "old:c2VjcmV0", "x"])
    assert "c2Vj" not in capsys.readouterr().err


@pytest.mark.parametrize("words", [["serve", "--help"], ["capsule", "inspect", "--help"]])
def test_help_shows_no_key(words: list[str], capsys, monkeypatch):
    """Though the environment has one."""
    monkeypatch.setenv("LSTM_SERVE_CAPSULE_KEYS", KEYS)
    with pytest.raises(SystemExit):
        cli.main(words)

    shown = capsys.readouterr().out
    assert "--capsule-keys" in shown
    assert KEYS[4:20] not in shown
