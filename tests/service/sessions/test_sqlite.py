"""What a file of sessions goes through: kills, full disks, damage, other programs and servers."""

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from service.sessions import policy
from service.sessions.errors import StoreTooNew, StoreUnavailable
from service.sessions.session import KeptRow, SessionKey
from service.sessions.sqlite import schema
from tests.service.sessions.committing import row_of
from tests.service.sessions.keeping import ROW, TURN, alter, create, open_file

_REPOSITORY = Path(__file__).parents[3]
_KILLS = int(os.environ.get("LSTM_TEST_KILLS", "12"))


@pytest.mark.timeout(30 + 5 * _KILLS)
def test_no_turn_that_was_told_is_lost_whenever_the_process_is_killed(path):
    """None is lost, doubled or half; a turn that was running leaves the session free at once."""
    told: dict[str, int] = {}
    moments = random.Random(1)
    for _ in range(_KILLS):
        with subprocess.Popen(
            [sys.executable, "-m", "tests.service.sessions.committing", str(path)],
            cwd=_REPOSITORY,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            time.sleep(moments.uniform(0, 0.15))
            process.send_signal(signal.SIGKILL)
            said = first + process.stdout.read()
        for line in said.decode().splitlines(keepends=True):
            if line.endswith("\n"):
                session, version = line.split()
                assert int(version) == told.get(session, int(version) - 1) + 1
                told[session] = int(version)

        for session, (version, content) in _kept(path).items():
            assert 0 <= version - told.get(session, 0) <= 1  # one may be kept and not yet told
            assert version == 0 or row_of(version).content == content
            told[session] = version
    assert len(told) == 4


def _kept(path):
    query = "SELECT id, version, content FROM sessions LEFT JOIN session_rows USING (number)"
    logged = """
        SELECT id, count(*), max(turns.version)
        FROM sessions JOIN turns USING (number) GROUP BY id
    """
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        for name, number, version in connection.execute(logged):
            assert number == min(version, policy.MAX_TURNS), name
        return {name: (version, content) for name, version, content in connection.execute(query)}


async def test_sessions_outlive_the_store(path):
    """What was committed and why others are over."""
    first = await open_file(path)
    session, deleted = await create(first), await create(first)
    key = SessionKey("me", session.id)
    committed = await first.commit(await first.begin(key, lease_s=9), ROW, TURN)
    await first.delete(SessionKey("me", deleted.id))
    await first.close()

    second = await open_file(path)
    assert committed == await second.get(key)
    assert ROW.content == (await second.begin(key, lease_s=9)).row
    with pytest.raises(Exception, match="it was deleted"):
        await second.get(SessionKey("me", deleted.id))
    await second.close()


async def test_nobody_else_may_read_the_file(path):
    """Nor what lies beside it."""
    store = await open_file(path)
    await create(store)

    files = list(path.parent.iterdir())
    assert len(files) == 4  # SQLite's three, and the run's lock
    assert {0o600} == {file.stat().st_mode & 0o777 for file in files}
    await store.close()


async def test_a_disk_that_is_full_refuses_turns_and_keeps_what_there_is(path, monkeypatch):
    """And takes them again when there is room; the session is free meanwhile."""
    store = await open_file(path)
    session = await create(store)
    key = SessionKey("me", session.id)
    await store.commit(await store.begin(key, lease_s=9), ROW, TURN)
    lease = await store.begin(key, lease_s=9)
    # SQLite's own error for it, from a bound on the size of this connection's database.
    await store._database.run(lambda connection: connection.execute("PRAGMA max_page_count = 1"))
    with pytest.raises(StoreUnavailable, match="full"):
        await store.commit(lease, KeptRow(b"x" * 1_000_000, 9), TURN)
    assert "full" in (store.fault or "")

    assert 1 == (await store.get(key)).version
    assert store.fault is None
    assert 2 == (await store.commit(lease, KeptRow(b"x" * 1_000_000, 9), TURN)).version
    await store.close()


@pytest.mark.parametrize(
    "content", [b"this is no database, by any means. " * 99, b"SQLite format 3\0rubbish" * 200]
)
async def test_a_damaged_file_is_left_as_it_is(path, content, caplog):
    """Nothing can be kept until it is taken away; then all is well without a restart."""
    path.parent.mkdir()
    path.write_bytes(content)
    store = await open_file(path)
    assert store.fault
    with pytest.raises(StoreUnavailable, match="cannot be read or written now"):
        await create(store)
    assert content == path.read_bytes()
    assert 1 == len(caplog.records)

    path.unlink()
    await create(store)
    assert store.fault is None
    await store.close()


async def test_nothing_is_kept_of_owners_without_sessions(path):
    """There may be very many of them."""
    store = await open_file(path)
    for n in range(5):
        session = await create(store, ROW, owner=str(n))
        await store.delete(SessionKey(str(n), session.id))

    [(holdings, total)] = await store._database.run(
        lambda connection: connection.execute(
            "SELECT (SELECT count(*) FROM holdings), num_sessions + num_bytes FROM total"
        ).fetchall()
    )
    assert (0, 0) == (holdings, total)
    await store.close()


async def test_another_programs_database_is_left_alone(path):
    """Its tables are not ours."""
    path.parent.mkdir()
    await asyncio.to_thread(alter, path, "CREATE TABLE notes (text)")
    store = await open_file(path)

    before = await asyncio.to_thread(path.read_bytes)
    with pytest.raises(StoreUnavailable, match="another program"):
        await create(store)
    assert before == await asyncio.to_thread(path.read_bytes)
    await store.close()


async def test_a_newer_programs_file_is_refused(path):
    """By the number of its schema, and before anything else is done."""
    await (await open_file(path)).close()
    await asyncio.to_thread(alter, path, "PRAGMA user_version = 99")

    with pytest.raises(StoreTooNew, match="schema 99"):
        await open_file(path)


async def test_a_folder_that_cannot_be_made_is_a_fault(tmp_path):
    """A file stands where it should be."""
    (tmp_path / "kept").write_text("")
    store = await open_file(tmp_path / "kept" / "sessions.sqlite3")

    with pytest.raises(StoreUnavailable):
        await create(store)
    await store.close()


async def test_an_older_programs_file_is_brought_forward(path):
    """Sessions go on, and their turns are there; the places of before are not."""
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.executescript(f"BEGIN; {schema._STEPS[0]}; COMMIT;")
        connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 1")
        connection.execute(
            "INSERT INTO sessions (number, id, owner, model, seed, version, num_tokens, num_bytes, "
            "created_s, used_s) VALUES (1, 's_old', 'me', 'tiny@1', 7, 1, 5, 8, ?, ?)",
            (time.time(), time.time()),
        )
        connection.execute("INSERT INTO session_rows VALUES (1, x'0102')")
        connection.execute(
            "INSERT INTO turns VALUES (1, 1, 0, 5, 6, 'g_1', 1, 4, 7, '{}', 'length', '{}', 'a', "
            "'bcde', NULL, NULL)"
        )
    connection.close()
    store = await open_file(path)
    [turn], _ = await store.log(SessionKey("me", "s_old"), after=-1, limit=9)
    lease = await store.begin(SessionKey("me", "s_old"), lease_s=9)
    after = await store.commit(lease, ROW, TURN)
    await store.close()

    assert ("bcde", None) == (turn.record.text, turn.record.read)
    assert (b"\x01\x02", 2) == (lease.row, after.version)
