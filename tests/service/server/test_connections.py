"""How many connections there may be, and which of them goes for a new one."""

import logging
import resource

import pytest

from service.server.connections import RESERVE, Connections
from service.server.descriptors import connections_within_limit


class Peer:
    """A connection that is dropped when it is told to."""

    def __init__(self, connections):
        self.connections = connections
        self.is_dropped = False
        self.overdue_at_s = float("inf")

    def overdue(self, now_s):
        """By the test's word."""
        return now_s >= self.overdue_at_s

    def drop(self):
        """Note it, and leave."""
        self.is_dropped = True
        self.connections.leave(self)


def _enter(connections, number, *, idle=True):
    peers = [Peer(connections) for _ in range(number)]
    for peer in peers:
        connections.enter(peer)
        connections.set_idle(peer, idle=idle)
    return peers


def test_the_longest_idle_one_goes_for_a_new_one():
    """One that has had a request since is not the longest idle any more."""
    connections = Connections(most=3)
    first, second, third = _enter(connections, 3)
    connections.set_idle(first, idle=False)
    connections.set_idle(first, idle=True)
    [fourth] = _enter(connections, 1)

    assert [False, True, False, False] == [
        peer.is_dropped for peer in (first, second, third, fourth)
    ]
    assert 3 == len(connections)


def test_a_connection_with_a_request_never_goes():
    """The new ones are for probes then, and there are few of them."""
    connections = Connections(most=3)
    busy = _enter(connections, 3, idle=False)
    assert not connections.are_too_many
    late = _enter(connections, RESERVE, idle=False)
    assert connections.are_too_many
    [last] = _enter(connections, 1)

    assert [last] == [peer for peer in (*busy, *late, last) if peer.is_dropped]
    busy[0].drop()
    assert 2 + RESERVE == len(connections)


def test_who_comes_to_a_full_house_is_not_dropped_for_itself():
    """It may be a probe."""
    connections = Connections(most=1)
    _enter(connections, 1, idle=False)
    [new] = _enter(connections, 1)

    assert not new.is_dropped


def test_who_is_overdue_is_dropped():
    """The others stay."""
    connections = Connections(most=9)
    peers = _enter(connections, 3)
    peers[1].overdue_at_s = 5.0
    connections.sweep(4.0)
    assert 3 == len(connections)
    connections.sweep(5.0)

    assert [False, True, False] == [peer.is_dropped for peer in peers]


def test_leaving_twice_is_harmless():
    """A dropped connection is lost a moment later."""
    connections = Connections(most=9)
    [peer] = _enter(connections, 1)
    connections.leave(peer)
    connections.leave(peer)
    connections.set_idle(peer, idle=True)

    assert 0 == len(connections) == len(connections._idle)


@pytest.mark.parametrize(
    ("limits", "most", "expected"),
    [
        ((256, 256), 4096, 256 - 64 - RESERVE),
        ((256, 8192), 4096, 4096),
        ((256, resource.RLIM_INFINITY), 4096, 4096),
        ((1024, 1024), 100, 100),
        ((70, 70), 4096, 1),
    ],
)
def test_connections_fit_into_the_limit_of_open_files(limits, most, expected, monkeypatch, caplog):
    """The soft limit is raised to the hard one; when that is not enough, the log says so."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    raised = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, new: raised.append(new))
    with caplog.at_level(logging.WARNING):
        assert expected == connections_within_limit(most)

    assert [(limits[1], limits[1])] == raised
    assert (expected < most) == bool(caplog.records)


def test_a_limit_that_cannot_be_raised_is_what_it_is(monkeypatch, caplog):
    """As in some sandboxes."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 8192))

    def refuses(*_):
        raise ValueError("not allowed")

    monkeypatch.setattr(resource, "setrlimit", refuses)
    with caplog.at_level(logging.WARNING):
        assert 256 - 64 - RESERVE == connections_within_limit(4096)
    assert "not allowed" in caplog.text
