from hypothesis import given
from hypothesis import strategies as st

from service.inference.stops import StopSearch

_stops = st.lists(st.text("ab", min_size=1, max_size=5), min_size=1, max_size=5)


@given(stops=_stops, parts=st.lists(st.text("abc", max_size=6), max_size=8))
def test_it_finds_what_looking_at_every_end_finds(stops, parts):
    """The stop that is complete first, the longest of several; and what may still become one."""
    search = StopSearch(stops)
    text = ""
    for part in parts:
        found = search.feed(part)
        ends = range(len(text) + 1, len(text) + len(part) + 1)
        whole = text + part
        complete = [
            (end - len(text), len(stop))
            for end in ends
            for stop in sorted(stops, key=len, reverse=True)
            if whole[:end].endswith(stop)
        ]
        assert (complete[0] if complete else None) == found
        if found:
            return
        text = whole
        beginnings = [stop[:n] for stop in stops for n in range(len(stop))]
        assert search.num_begun == max(len(b) for b in beginnings if text.endswith(b))


class _Counted(dict):
    """Counts how often it is looked at."""

    num = 0

    def __contains__(self, key):
        _Counted.num += 1
        return super().__contains__(key)


def test_a_character_is_looked_at_a_bounded_number_of_times():
    """However long the stops are, however many, and however often they begin."""
    stops = ["ab" * 31 + chr(0x100 + n) for n in range(16)]
    search = StopSearch(stops)
    search._next = [_Counted(following) for following in search._next]
    _Counted.num = 0

    for _ in range(1_000):
        assert search.feed("ab" * 31 + "c") is None

    assert _Counted.num <= 2 * 63 * 1_000
