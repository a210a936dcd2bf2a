from service.engine.rows.flights import Flights


def test_one_reads_and_the_others_follow():
    """Until it is done; then they are told, once."""
    flights = Flights()

    assert [True, False, True, False] == [
        flights.join(key, n) for n, key in enumerate([b"x", b"x", b"y", b"x"])
    ]
    assert [1, 3] == flights.leave(0)
    assert [] == flights.leave(0)
    assert flights.join(b"x", 1)


def test_a_follower_that_leaves_is_forgotten():
    """And the one that reads is not concerned."""
    flights = Flights()
    for n in range(3):
        flights.join(b"x", n)

    assert [] == flights.leave(1)
    assert [2] == flights.leave(0)
    assert [] == flights.leave(2)
