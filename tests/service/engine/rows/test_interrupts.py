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
        return SimpleNamespace(is_running=True, interrupt=lambda: self.interrupted.append(lane))

    def come(self, client: str, after_s: float = 0.0) -> list[int]:
        """A newcomer: the lanes that were interrupted for it."""
        self.clock.now_s += after_s
        self.interrupted.clear()
        self.interrupts.newcomer(client)
        return [*self.interrupted]


def test_a_lane_that_is_in_no_burst_takes_the_newcomer():
    """Nobody is interrupted for it."""
    house = House("a", "a")
    house.lanes[1].bursts.is_running = False

    assert [] == house.come("a")


def test_the_lane_with_fewer_rows_is_interrupted():
    """The other one would not let anybody in."""
    house = House("a", "a", "a", capacities=(1, 8))

    assert [0] == house.come("a")


def test_lanes_take_turns_and_have_a_pause():
    """What comes sooner waits for the end of a burst."""
    house = House("a", "a")

    assert [[0], [1], []] == [house.come("a") for _ in range(3)]
    assert [] == house.come("a", _PAUSE_S / 2)
    assert [0] == house.come("a", _PAUSE_S)


@pytest.mark.parametrize(("client", "is_let_in"), [("crowd", False), ("other", True)])
def test_lanes_of_a_crowd_are_interrupted_less_often(client, is_let_in):
    """But for somebody else."""
    house = House(*["crowd"] * 59, "other", capacities=(30, 30))
    for _ in range(2):
        house.come("crowd")

    assert is_let_in == bool(house.come(client, 0.030))
    assert house.come("crowd", 0.060)
