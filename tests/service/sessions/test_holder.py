"""Which runs of servers on one file are known to be over."""

import asyncio
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from service.sessions.errors import SessionBusy, StoreUnavailable
from service.sessions.sqlite.holder import Holder
from tests.service.sessions.keeping import ROW, TURN, begin, create, open_file

_REPOSITORY = Path(__file__).parents[3]
# What two containers have in common: each is process 1 of a host of the same name.
_IN_A_CONTAINER = """
import os, socket, sys
os.getpid = lambda: 1
socket.gethostname = lambda: "server"
from pathlib import Path
from service.sessions.sqlite.holder import Holder
holder = Holder(Path(sys.argv[1]))
holder.hold()
print(holder.name, holder.knows_dead(sys.argv[2]), flush=True)
sys.stdin.read()
"""


def _container(path, other="0" * 32):
    """A run in a container of its own: its process, its name, and what it knows of another one."""
    process = subprocess.Popen(
        [sys.executable, "-c", _IN_A_CONTAINER, str(path), other],
        cwd=_REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    name, knows = process.stdout.readline().split()
    return process, name, knows == "True"


def _end(process):
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_containers_with_the_same_host_and_process_number_know_each_other(tmp_path):
    """Each sees that the other lives; and that it is dead, as soon as it was killed."""
    path = tmp_path / "sessions.sqlite3"
    first, first_name, _ = _container(path)
    second, second_name, knows_first_dead = _container(path, first_name)
    try:
        assert not knows_first_dead
        me = Holder(path)
        assert not me.knows_dead(first_name)
        assert not me.knows_dead(second_name)
        _end(first)
        assert me.knows_dead(first_name)
        assert not me.knows_dead(second_name)
    finally:
        _end(first)
        _end(second)

    third, _, knows_second_dead = _container(path, second_name)
    _end(third)
    assert knows_second_dead


def test_a_run_that_has_ended_leaves_nothing(tmp_path):
    """Nor do those that were killed, once another one has swept."""
    path = tmp_path / "sessions.sqlite3"
    killed, name, _ = _container(path)
    _end(killed)
    assert [f"sessions.sqlite3-run-{name}"] == [file.name for file in tmp_path.iterdir()]
    mine = Holder(path)
    mine.hold()
    mine.sweep()
    assert [f"sessions.sqlite3-run-{mine.name}"] == [file.name for file in tmp_path.iterdir()]

    mine.leave()
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["", "server:1:0123", "../" * 10, "ab" * 16])
def test_what_no_run_has_written_is_nobodys(tmp_path, name):
    """Nothing is made, whatever the name is."""
    assert Holder(tmp_path / "sessions.sqlite3").knows_dead(name)
    assert [] == list(tmp_path.iterdir())


def test_in_memory_there_is_nobody_else():
    """And nothing on the disk."""
    me = Holder(None)
    me.hold()
    assert not me.knows_dead("ab" * 16)


def test_one_file_by_two_names(tmp_path):
    """A link leads to the same database, so those that came by it see each other."""
    path, link = tmp_path / "real" / "sessions.sqlite3", tmp_path / "link.sqlite3"
    path.parent.mkdir()
    path.touch()
    link.symlink_to(path)
    one, other = Holder(path), Holder(link)
    one.hold()
    other.hold()

    assert not one.knows_dead(other.name)
    assert not other.knows_dead(one.name)
    one.leave()
    assert other.knows_dead(one.name)
    other.leave()


async def test_the_lease_of_a_dead_server_is_void(path):
    """Not that of one which lives; if it lives after all, its fence refuses its commit."""
    first, second = await open_file(path), await open_file(path)
    session = await create(first)
    lost = await begin(first, session, lease_s=300)
    with pytest.raises(SessionBusy, match="another turn is running"):
        await begin(second, session)
    await asyncio.to_thread(first._holder.leave)  # what the system does when a process ends

    lease = await begin(second, session)

    assert lease.fence > lost.fence
    with pytest.raises(SessionBusy, match="meanwhile"):
        await first.commit(lost, ROW, TURN)
    await first.release(lost)
    assert 1 == (await second.commit(lease, ROW, TURN)).version
    await first.close()
    await second.close()


async def test_a_server_whose_lock_was_taken_away_has_another(path):
    """With the folder, say: it goes on under another name, and others see that it lives."""
    store = await open_file(path)
    await create(store)
    before = store._holder.name
    await asyncio.to_thread(shutil.rmtree, path.parent)
    session = await create(store)
    await begin(store, session)

    other = await open_file(path)
    with pytest.raises(SessionBusy):
        await begin(other, session)
    assert before != store._holder.name
    await other.close()
    await store.close()


async def test_without_a_lock_there_are_no_sessions(path, monkeypatch):
    """A file system that has none, or a folder that may not be written."""

    def taken(*_):
        raise PermissionError(13, "Permission denied")

    store = await open_file(path)
    with monkeypatch.context() as patch:
        patch.setattr(Holder, "_taken", taken)
        with pytest.raises(StoreUnavailable, match="Permission denied"):
            await create(store)
    await create(store)
    await store.close()
