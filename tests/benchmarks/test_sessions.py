"""The table of `benchmarks.sessions`: everything that is wanted of sessions has a line."""

from benchmarks.sessions import table

_LENGTH = {
    "read again": 70.0, "go on": 3.0, "ratio": 23.4, "fork": 2.0, "fork at half": 4.0,
    "rewind 20": 3.5, "append": 12.0, "capsule out": 0.8, "capsule in": 1.5,
}  # fmt: skip
_STEADY = {"100": 0.3, "100000": 0.33, "ratio": 1.1}


def test_each_wish_has_a_line_with_its_figure():
    """In Markdown, with as many cells in each line."""
    numbers = {
        "sessions": 100_000,
        "bytes_each": 9_500,
        **dict.fromkeys(("create", "turn", "list"), _STEADY),
    }
    stores = {
        "turns_per_s": {
            "memory": {"median": 300.0, "ratio": 1.0},
            "sqlite": {"median": 255.0, "ratio": 0.85},
            "redis": {"median": 270.0, "ratio": 0.9},
        },
        "idle_mb": {"sqlite": 1.2, "redis": 0.9},
    }
    lengths = {"1000": _LENGTH, "10000": _LENGTH | {"ratio": 250.2}}
    found = table(numbers, lengths, stores)

    assert {4} == {line.count("|") for line in found.splitlines()}
    for wanted in (
        "70.0 ms; 3.0 ms: 23 times sooner | 20 |",
        "250 times sooner | 200 |",
        "capsule out; in | 0.8; 1.5 ms",
        "sqlite; of those in memory | 255; 0.85 | 0.8 |",
        "redis; of those in memory | 270; 0.90 | 0.8 |",
        "10,000 idle sessions more: sqlite | 1.2 MB | 2 MB |",
        "resume, of 100 sessions; of 100,000 | 0.30; 0.33 ms: 1.10 times | 1.5 |",
        "9,500 bytes",
    ):
        assert wanted in found
