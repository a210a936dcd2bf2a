from types import SimpleNamespace

import pytest

from service.engine.rows.interrupts import Interrupts
from service.engine.rows.progress import Progress
from service.engine.rows.scheduler import Scheduler
from tests.service.engine.engines import Clock

_PAUSE_S = 0.015


class House:
    """Two lanes with rows of some clients, and a clock."""

    def __init__(self, *clients: str, capacities: tuple[int, int] = (8, 8)):
        self.scheduler = Scheduler(*capacities)
        for n, client in enumerate(clients):
            self.scheduler.add(n, client=client, progress=Progress(1, 1))
        for lane in (0, 1):
            self.scheduler.admit(lane, [1] if lane == 0 else [])
        self.clock = Clock()
        self.interrupted: list[int] = []
        self.lanes = [SimpleNamespace(bursts=self._bursts(lane)) for lane in (0, 1)]
        self.interrupts = Interrupts(self.lanes, self.scheduler, self.clock, _PAUSE_S)  # type: ignore[arg-type]

    def _bursts(self, lane: int) -> SimpleNamespace:
        return SimpleNamespace(
            is_running=True,
            is_reading=False,
            all_since_s=0.0,
            interrupt=lambda: self.interrupted.append(lane),
        )

    def come(self, client: str, after_s: float = 0.0) -> list[int]:
        """A newcomer: the lanes that were interrupted for it."""
        self.clock.now_s += after_s
        self.interrupted.clear()
        self.interrupts.newcomer(client)
        return [*self.interrupted]


def test_a_lane_that_is_in_no_burst_takes_the_newcomer():
    """Nobody is interrupted for it, as long as that one has no more rows than the other."""
    house = House("a", "a", "a")
    house.lanes[1].bursts.is_running = False

    assert [2, 1] == [house.scheduler.num_rows(lane) for lane in (0, 1)]
    assert [] == house.come("a")
    house.lanes[1].bursts.is_running, house.lanes[0].bursts.is_running = True, False
    assert [1] == house.come("a")


def test_a_lane_that_reads_is_not_interrupted():
    """It ends soon, and its pause is kept for a burst that can end early."""
    house = House("a", "a")
    for lane in house.lanes:
        lane.bursts.is_reading = True

    assert [] == house.come("a")
    for lane in house.lanes:
        lane.bursts.is_reading = False
    assert house.come("a")


@pytest.mark.parametrize(("client", "expected"), [("a", []), ("b", [0])])
def test_a_full_server_is_interrupted_for_others_only(client, expected):
    """Whoever has all the rows waits for one of them; somebody else gets one."""
    house = House("a", "a", "a", "a", capacities=(2, 2))

    assert expected == house.come(client)


def test_a_full_lane_is_not_interrupted():
    """The other one has room, though it has more rows."""
    house = House("a", "a", "a", "a", capacities=(1, 8))

    assert [1] == house.come("a")


def test_lanes_take_turns_and_have_a_pause():
    """What comes sooner waits for the end of a burst."""
    house = House("a", "a")

    assert [[0], [1], []] == [house.come("a") for _ in range(3)]
    assert [] == house.come("a", _PAUSE_S / 2)
    assert [0] == house.come("a", _PAUSE_S)


@pytest.mark.parametrize(("client", "is_let_in"), [("crowd", False), ("other", True)])
@pytest.mark.parametrize("clients", [["crowd"] * 60, ["crowd"] * 59 + ["other"]])
def test_lanes_of_a_crowd_are_interrupted_less_often(clients, client, is_let_in):
    """But for somebody else, who has a row already or not."""
    house = House(*clients, capacities=(31, 31))
    for _ in range(2):
        house.come("crowd")

    assert is_let_in == bool(house.come(client, 0.030))
    assert house.come("crowd", 0.061)


def test_a_crowd_writes_in_between():
    """However many come beside it: the pause begins with the burst in which all write."""
    house = House(*["crowd"] * 60, capacities=(31, 31))
    for lane in house.lanes:
        lane.bursts.all_since_s = house.clock.now_s

    assert [] == house.come("other", _PAUSE_S / 2)
    assert [0] == house.come("other", _PAUSE_S)
