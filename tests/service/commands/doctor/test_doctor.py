"""`lstm-serve doctor`: each thing that is in a server's way is a line that says what to do."""

from __future__ import annotations

import json
import resource
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from service import cli
from service.commands.doctor import machine
from service.settings import Settings
from tests import tiny_model
from tests.service.sessions.redis_server import running_redis

MB = 1_000_000


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which all is well."""
    root = tmp_path / "store"
    tiny_model.publish(root)
    tiny_model.publish(root, version=2)
    monkeypatch.setenv("LSTM_SERVE_MODEL_STORE", str(root))
    monkeypatch.setenv("LSTM_SERVE_MAX_CONNECTIONS", "9")
    monkeypatch.setenv("LSTM_SERVE_MAX_SESSION_BYTES", "1")
    monkeypatch.setenv("LSTM_SERVE_PORT", "0")
    return root


def examined(capsys, *words: str) -> tuple[int, dict[str, list[dict]]]:
    """The exit status, and what was found, by what was looked at."""
    status = cli.main(["doctor", "--json", *words])
    report = json.loads(capsys.readouterr().out)
    found: dict[str, list[dict]] = {}
    for finding in report["findings"]:
        found.setdefault(finding.pop("check"), []).append(finding)
        assert bool(finding["advice"]) == (finding["status"] != "ok")
    assert report["ok"] == (status == 0)
    return status, found


def test_a_machine_on_which_all_is_well(root: Path, capsys):
    """A line for each thing, and exit status 0; nothing is written."""
    before = sorted(root.parent.rglob("*"))
    status, found = examined(capsys)

    assert 0 == status
    names = ["processor", "cores", "settings", "store", "models", "memory", "sessions", "files"]
    assert [*names, "port"] == list(found)
    assert ["tiny@1 is whole", "tiny@2 is whole"] == [each["message"] for each in found["store"]]
    assert "by default tiny@2" in found["models"][0]["message"]
    assert before == sorted(root.parent.rglob("*"))
    assert 0 == cli.main(["doctor"])
    assert "ok    store      tiny@1 is whole\n" in capsys.readouterr().out


def test_wrong_settings_are_findings(root: Path, capsys, monkeypatch):
    """All of them; what depends on them is not checked."""
    monkeypatch.setenv("LSTM_SERVE_PRT", "1")
    monkeypatch.setenv("LSTM_SERVE_MAX_ROWS", "many")
    status, found = examined(capsys)

    assert 1 == status
    messages = [finding["message"] for finding in found["settings"]]
    assert messages[0].startswith("LSTM_SERVE_PRT is not a setting")
    assert messages[1].startswith("LSTM_SERVE_MAX_ROWS (--max-rows): ")
    assert "not checked" in messages[2]
    assert "store" not in found


def test_a_damaged_version_and_a_lost_alias_are_named(root: Path, capsys):
    """Each with what to do; the model is served all the same."""
    (root / "tiny" / "2" / "model.onnx").unlink()
    (root / "aliases.json").write_text('{"prod": "tiny@7"}')
    status, found = examined(capsys)

    assert 1 == status
    [whole, damaged, alias] = found["store"]
    assert ("ok", "fix", "fix") == (whole["status"], damaged["status"], alias["status"])
    assert "tiny@2: tiny/2/model.onnx: is missing" == damaged["message"]
    assert "lstm-serve models remove tiny@2" in damaged["advice"]
    assert "prod means tiny@7" in alias["message"]
    assert "ok" == found["models"][0]["status"]


def test_a_store_without_models_is_told(root: Path, tmp_path: Path, capsys):
    """By the option too."""
    status, found = examined(capsys, "--model-store", str(tmp_path / "none"))

    assert 1 == status
    assert "holds no models" in found["models"][0]["message"]


def test_a_port_that_is_taken_is_told(root: Path, capsys):
    """By somebody else than a server of ours."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        number = str(other.getsockname()[1])
        other.close()
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", int(number)))
            status, found = examined(capsys, "--port", number)

    assert 1 == status
    assert f"127.0.0.1:{number}" in found["port"][0]["message"]


def newer(path: Path) -> None:
    """A file of a later version."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute("PRAGMA application_id = 1280529485")


def foreign(path: Path) -> None:
    """A file of somebody else."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 1")
        connection.execute("PRAGMA application_id = 7")


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda path: path.write_bytes(b"no database, at all" * 99), "not a database"),
        (newer, "a newer lstm-serve"),
        (foreign, "another program"),
    ],
    ids=["garbage", "newer", "foreign"],
)
def test_a_file_of_sessions_that_will_not_do_is_told(
    root: Path, tmp_path: Path, capsys, make: Callable[[Path], None], named: str
):
    """And it is left as it is."""
    path = tmp_path / "sessions"
    make(path)
    before = path.read_bytes()
    status, found = examined(capsys, "--session-store", f"sqlite:///{path}")

    assert 1 == status
    assert named in found["sessions"][0]["message"]
    assert before == path.read_bytes()


def test_a_file_of_sessions_that_can_be_made_is_well(
    root: Path, tmp_path: Path, capsys, monkeypatch
):
    """And if its disk has little room, that is a note."""
    url = f"sqlite:///{tmp_path}/to/be/made"
    assert 0 == examined(capsys, "--session-store", url)[0]
    monkeypatch.setenv("LSTM_SERVE_MAX_SESSION_BYTES", str(10**18))
    status, found = examined(capsys, "--session-store", url)

    assert (0, "note") == (status, found["sessions"][0]["status"])
    assert not (tmp_path / "to").exists()


def test_few_open_files_are_a_note(monkeypatch: pytest.MonkeyPatch):
    """With how many connections that allows."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 256))
    [finding] = machine.descriptors(Settings())

    assert "note" == finding.status
    assert "256 open files" in finding.message


def test_a_processor_is_known_by_its_instructions(tmp_path: Path):
    """Of x86 and ARM; the container's limit counts."""
    flags = tmp_path / "cpuinfo"
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    for line, status, named in (
        ("flags\t\t: fpu avx2 avx512f avx512_vnni\n", "ok", "AVX2, AVX-512, VNNI; without AMX"),
        ("flags\t\t: fpu sse2\n", "note", "no AVX2"),
        ("Features\t: fp asimd\n", "ok", "ARM"),
        ("", "note", "no AVX2"),
    ):
        flags.write_text(line)
        [instructions, cores] = machine.processor(tmp_path, tmp_path)
        assert (status, True) == (instructions.status, named in instructions.message)
        assert cores.message.startswith("1 core")


@pytest.mark.parametrize(
    ("available", "status"),
    [(900 * MB, "ok"), (450 * MB, "note"), (300 * MB, "fix"), (None, "note")],
)
def test_models_need_room(available: int | None, status: str):
    """To be loaded, and for what they keep of prompts."""
    [finding] = machine.memory(400 * MB, 100 * MB, available, 3)

    assert status == finding.status
    assert "3 models take 400 MB, and up to 100 MB" in finding.message


def test_a_redis_is_asked(root: Path, capsys, tmp_path: Path, monkeypatch):
    """Whether it answers; its password is not shown."""
    with running_redis(tmp_path) as redis:
        monkeypatch.setenv("LSTM_SERVE_SESSION_STORE", redis.url)
        _, there = examined(capsys)
        redis.stop()
        secret = redis.url.replace("://", "://:secret@")
        monkeypatch.setenv("LSTM_SERVE_SESSION_STORE", secret)
        status, away = examined(capsys)

    assert "ok" == there["sessions"][0]["status"]
    assert (1, "fix") == (status, away["sessions"][0]["status"])
    assert "secret" not in str(away)
