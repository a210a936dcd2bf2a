"""What happens to sessions in SQLite when somebody sets the clock of the machine."""

import asyncio
from dataclasses import dataclass

import pytest

from service.sessions.errors import SessionBusy, SessionGone
from service.sessions.sqlite.clocks import Clocks, steady_s
from service.sessions.sqlite.store import SqliteSessionStore
from tests.service.limits import session_limits
from tests.service.sessions.keeping import ROW, TURN, begin, create, ids, key

HOUR_S = 3600.0
JUMPS_S = (HOUR_S, -HOUR_S, 120.0, -120.0, 50 * 365 * 24 * HOUR_S)
"""The last one: a machine without a battery has found out what time it is."""


@dataclass
class Machine:
    """Its two clocks."""

    unix_s: float = 1_700_000_000.0
    steady_s: float = 500.0

    def passes(self, seconds):
        """Time does."""
        self.unix_s += seconds
        self.steady_s += seconds

    @property
    def clocks(self):
        """As a store has them."""
        return Clocks(lambda: self.unix_s, lambda: self.steady_s)


@pytest.fixture
def machine():
    """Where all stores of a test run."""
    return Machine()


async def _open(path, machine, **limits):
    bounds = session_limits(**{"idle_ttl_s": 100, "max_age_s": 500, **limits})
    return await asyncio.to_thread(SqliteSessionStore, path, bounds, machine.clocks)


@pytest.mark.parametrize("jump_s", JUMPS_S)
async def test_sessions_live_as_long_as_without_a_jump(path, machine, jump_s):
    """Not longer either: neither idle nor in years."""
    store = await _open(path, machine)
    session = await create(store, ROW)
    machine.passes(60)
    machine.unix_s += jump_s
    machine.passes(39)
    assert [session.id] == await ids(store)
    after = await store.get(key(session))
    assert store.expires_s(after) == pytest.approx(machine.unix_s + 1)
    assert after.created_s == pytest.approx(machine.unix_s - 99)

    machine.passes(2)
    with pytest.raises(SessionGone, match="not used for 100 s"):
        await store.get(key(session))
    await store.close()


@pytest.mark.parametrize("jump_s", JUMPS_S)
async def test_a_turn_that_runs_keeps_its_lease(path, machine, jump_s):
    """As long as it was given, whatever the clock is set to; not longer."""
    store = await _open(path, machine)
    session = await create(store, ROW)
    lease = await begin(store, session, lease_s=30)
    machine.unix_s += jump_s
    machine.passes(29)
    with pytest.raises(SessionBusy):
        await begin(store, session)
    assert 1 == (await store.commit(lease, ROW, TURN)).version

    late = await begin(store, session, lease_s=30)
    machine.unix_s += jump_s
    machine.passes(31)
    lease = await begin(store, session)
    with pytest.raises(SessionBusy, match="meanwhile"):
        await store.commit(late, ROW, TURN)
    assert 2 == (await store.commit(lease, ROW, TURN)).version
    await store.close()


@pytest.mark.parametrize("jump_s", JUMPS_S)
async def test_the_newest_is_first_over_a_jump(path, machine, jump_s):
    """And new sessions are not made in the future of the old ones, nor in their past."""
    store = await _open(path, machine)
    first = await create(store)
    machine.passes(1)
    machine.unix_s += jump_s
    second = await create(store)
    assert [first.id, second.id] == await ids(store)
    assert second.created_s == pytest.approx(machine.unix_s)
    await store.close()


@pytest.mark.parametrize("jump_s", JUMPS_S)
async def test_servers_of_one_file_notice_a_jump_once(path, machine, jump_s):
    """Whoever sees it first; also one that was started after it, and one that sees it late."""
    first, second = await _open(path, machine), await _open(path, machine)
    session = await create(first)
    await second.get(key(session))
    machine.unix_s += jump_s
    third = await _open(path, machine)
    younger = await create(third)
    for store in (second, first, third, second):
        machine.passes(10)
        found = await store.get(key(session))
        assert found.created_s == pytest.approx(younger.created_s, abs=1)
    assert found.created_s == pytest.approx(machine.unix_s - 40)
    for store in (first, second, third):
        await store.close()


async def test_another_start_of_the_machine_is_no_jump(path, machine):
    """The steady clock begins anew, and Unix time tells how old the sessions are."""
    store = await _open(path, machine)
    session = await create(store)
    await begin(store, session, lease_s=10_000)
    await asyncio.to_thread(store._holder.leave)  # as the system does
    machine.passes(50)
    machine.steady_s = 3.0

    again = await _open(path, machine)
    assert session == await again.get(key(session))
    await again.release(await begin(again, session))
    machine.passes(51)
    with pytest.raises(SessionGone, match="not used for 100 s"):
        await again.get(key(session))
    await again.close()
    await store.close()


async def test_what_was_leased_before_a_power_failure_is_swept(path, machine):
    """Its lease would end days later by the new steady clock."""
    machine.steady_s = 1e6
    store = await _open(path, machine, max_owner_sessions=1)
    lost = await create(store)
    await begin(store, lost, lease_s=300)
    await asyncio.to_thread(store._holder.leave)
    machine.steady_s = 3.0

    again = await _open(path, machine, max_owner_sessions=1)
    fresh = await create(again)
    assert [fresh.id] == await ids(again)
    await again.close()
    await store.close()


async def test_a_clock_that_is_drawn_along_moves_nothing(path, machine):
    """Parts of a second are what a time server corrects; sessions keep their times exactly."""
    store = await _open(path, machine)
    session = await create(store)
    for _ in range(8):
        machine.unix_s += 0.5
        assert session == await store.get(key(session))
    await store.close()


def test_the_steady_clock_goes_on():
    """It is the system's, in seconds."""
    before = steady_s()
    assert 0 < before <= steady_s() < before + 60
