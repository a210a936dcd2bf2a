"""Keys of the settings and of a file that changes."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from service.access import source as source_module
from service.access.errors import KeyRefused
from service.access.keys import KeysInvalid, entry_of
from service.access.source import KeySource
from tests.waiting import wait_for

ENV, ONE, TWO = (entry_of(name, key) for name, key in [("e", "env"), ("a", "one"), ("a", "two")])


def _known(source: KeySource) -> set[str]:
    found = set()
    for key in ("env", "one", "two"):
        try:
            source.ring.find(key.encode())
        except KeyRefused:
            continue
        found.add(key)
    return found


def test_both_are_let_in_and_the_file_is_read_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """Without a restart; also one of the same length, put in the place of the other."""
    caplog.set_level(logging.INFO)
    file = tmp_path / "keys"
    file.write_text(ONE, encoding="utf-8")
    source = KeySource(ENV, file)
    assert {"env", "one"} == _known(source)

    source.refresh()
    assert "" == caplog.text
    file.write_text(TWO, encoding="utf-8")
    source.refresh()
    assert {"env", "two"} == _known(source)
    assert "2 API keys" in caplog.text
    assert source.ring.fault is None


@pytest.mark.parametrize("content", ["", "# none", "a:nonsense", ONE + "," + ONE, "\xff", None])
def test_a_bad_file_changes_nothing_and_is_named(
    tmp_path: Path, content: str | None, caplog: pytest.LogCaptureFixture
):
    """Until it is good again; the log has it once."""
    file = tmp_path / "keys"
    file.write_text(ONE, encoding="utf-8")
    source = KeySource(ENV, file)
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content.encode("latin-1"))

    source.refresh()
    source.refresh()
    assert {"env", "one"} == _known(source)
    assert str(file) in str(source.ring.fault)
    assert 1 == caplog.text.count("the API keys from before stay")

    file.write_text(ONE, encoding="utf-8")
    source.refresh()
    assert source.ring.fault is None
    file.write_text(TWO, encoding="utf-8")
    source.refresh()
    assert {"env", "two"} == _known(source)


@pytest.mark.parametrize(
    ("text", "content", "message"),
    [
        ("", None, "--api-keys-file .*: No such file"),
        ("", "", "--api-keys-file .*: there is no key"),
        (ENV, "", "--api-keys-file .*: there is no key"),
        ("x", ONE, "--api-keys: key 1"),
        (ENV, "x:y", "--api-keys-file .*: key 1"),
        (ENV, ENV, "--api-keys-file .*: key 2"),
    ],
)
def test_without_good_keys_nothing_starts(
    tmp_path: Path, text: str, content: str | None, message: str
):
    """There are no keys from before."""
    file = tmp_path / "keys"
    if content is not None:
        file.write_text(content, encoding="utf-8")

    with pytest.raises(KeysInvalid, match=message):
        KeySource(text, file)


def test_an_empty_setting_is_no_open_door():
    """Whoever sets keys wants some."""
    with pytest.raises(KeysInvalid, match="--api-keys: there is no key"):
        KeySource(" , ", None)


def test_a_file_that_is_too_large_is_not_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """It is none."""
    monkeypatch.setattr(source_module, "_MAX_BYTES", 10)
    file = tmp_path / "keys"
    file.write_text(ONE, encoding="utf-8")

    with pytest.raises(KeysInvalid, match="larger than 10 bytes"):
        KeySource("", file)


async def test_the_watch_sees_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Off the event loop."""
    monkeypatch.setattr(source_module, "_EVERY_S", 0.001)
    file = tmp_path / "keys"
    await asyncio.to_thread(file.write_text, ONE, encoding="utf-8")
    source = await asyncio.to_thread(KeySource, "", file)
    watching = asyncio.ensure_future(source.watch())
    await asyncio.to_thread(file.write_text, TWO, encoding="utf-8")
    await asyncio.to_thread(wait_for, lambda: _known(source) == {"two"}, "the new keys")
    watching.cancel()
