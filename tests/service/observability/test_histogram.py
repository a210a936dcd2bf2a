"""The histogram of things that come in numbers says what prometheus-client's own says."""

from prometheus_client import CollectorRegistry, Histogram, generate_latest

from service.observability.histogram import WeightedHistogram

BUCKETS = (0.1, 1, 2.5)


def test_many_at_once_are_as_many_one_by_one():
    """Bounds belong to the bucket below them; what is above all of them is counted too."""
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    weighted = WeightedHistogram("gap_seconds", "Gaps.", BUCKETS, ours)
    plain = Histogram("gap_seconds", "Gaps.", ["model"], buckets=BUCKETS, registry=theirs)
    weighted.begin("a")
    for value, number in ((0.05, 3), (0.1, 2), (1.5, 1), (2.5, 4), (8, 2)):
        weighted.add("a", value, number)
        for _ in range(number):
            plain.labels("a").observe(value)

    assert _lines(theirs) == _lines(ours)


def test_a_model_is_there_before_its_first_value():
    """At 0."""
    registry = CollectorRegistry()
    WeightedHistogram("gap_seconds", "Gaps.", BUCKETS, registry).begin("a")

    assert b'gap_seconds_count{model="a"} 0.0' in generate_latest(registry)


def _lines(registry):
    return [
        (line.rpartition(" ")[0], round(float(line.rpartition(" ")[2]), 9))
        for line in generate_latest(registry).decode().splitlines()
        if not line.startswith("#") and "_created" not in line
    ]
