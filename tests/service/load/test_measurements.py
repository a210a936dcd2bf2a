"""Figures follow from what was recorded."""

from __future__ import annotations

from collections import Counter

import pytest

from service.load.measurements import Measurements, percentiles_ms
from service.load.recorder import Exchange, Recorder, Timing


def test_the_window_decides_what_counts():
    """In a closed loop the moment at which something comes."""
    recorder = Recorder(Timing(0, 10))
    recorder.begins_s, recorder.ends_s = 100.0, 110.0
    exchange = Exchange(99.0)
    for num_tokens, now_s in [(1, 99.5), (2, 101.0), (0, 102.5), (4, 110.0)]:
        recorder.event(exchange, num_tokens, now_s)
    recorder.ended(exchange, 110.0)
    found = recorder.found

    assert (2, 1, 0) == (found.num_tokens, found.num_events, found.num_completed)
    assert ([], [1.5, 1.5]) == (found.first_event_s, found.gap_s)


def test_in_an_open_loop_requests_count_by_their_arrival():
    """Also if the answer comes after the window; tokens still count by when they come."""
    recorder = Recorder(Timing(0, 10), by_arrival=True)
    recorder.begins_s, recorder.ends_s = 100.0, 110.0
    for since_s in (99.0, 109.0):
        exchange = Exchange(since_s)
        recorder.event(exchange, 3, since_s + 2)
        recorder.ended(exchange, since_s + 2)
    found = recorder.found

    assert ([2.0], 1, 3) == (found.first_event_s, found.num_completed, found.num_tokens)


def test_figures_and_rounds():
    """Rounds of the same add up."""
    found = Measurements(2.0, 100, 10, 3, 0.5, [0.1], [0.2])
    found.errors = Counter({"429 overloaded": 1, "429 rate_limited": 1, "500 x": 1})
    found.merge(Measurements(2.0, 60, 6, 3, 0.1, [0.3], [0.4], errors=Counter({"500 x": 1})))

    assert (40.0, 1.5, 10.0) == (found.tokens_per_s, found.requests_per_s, found.tokens_per_event)
    assert (2, pytest.approx(0.2)) == (found.num_refused, found.refused_share)
    assert (2, [0.1, 0.3], [0.2, 0.4]) == (found.errors["500 x"], found.first_event_s, found.gap_s)


def test_nothing_is_no_figure():
    """And no error."""
    empty = Measurements(1.0)

    assert (0.0, None, 0.0) == (empty.tokens_per_s, empty.tokens_per_event, empty.refused_share)
    assert (None, None) == (percentiles_ms([]), percentiles_ms([1.0]))


def test_percentiles_are_in_milliseconds():
    """Of all times."""
    assert {"p50": 50.0, "p95": 95.0, "p99": 99.0} == percentiles_ms([n / 1000 for n in range(101)])
