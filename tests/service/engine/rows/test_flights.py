from service.engine.rows.flights import Flights


def test_one_reads_and_the_others_follow():
    """Until it is done; then they are told, once, and the next one reads again."""
    flights = Flights()

    assert [True, False, True, False] == [
        flights.join(key, n) for n, key in enumerate([b"x", b"x", b"y", b"x"])
    ]
    assert [False, True, False, True] == [flights.follows(n) for n in range(4)]
    assert [1, 3] == flights.land(0)
    assert [] == flights.land(0)
    assert not flights.follows(1)
    assert flights.join(b"x", 1)


def test_a_follower_that_leaves_is_forgotten():
    """And the one that reads is not concerned."""
    flights = Flights()
    for n in range(3):
        flights.join(b"x", n)

    assert flights.leave(1) is None
    assert [2] == flights.land(0)
    assert flights.leave(2) is None


def test_when_the_one_that_reads_leaves_the_next_one_reads_on():
    """The others follow that one; when nobody is left, the prompt is nobody's."""
    flights = Flights()
    for n in range(3):
        flights.join(b"x", n)

    assert 1 == flights.leave(0)
    assert [False, True] == [flights.follows(n) for n in (1, 2)]
    assert [2] == flights.land(1)
    flights.join(b"x", 5)
    assert flights.leave(5) is None
    assert ({}, {}) == (flights._members, flights._keys)
