"""Each way to draw is measured beside the first, on a model of no size."""

import json
from pathlib import Path

from benchmarks import samplers
from tests.tiny_model import publish


def test_ways_are_measured_beside_plain(tmp_path: Path):
    """Of all rows and of one; what they write depends on how they draw."""
    publish(tmp_path / "store")
    report_file = tmp_path / "report.json"

    samplers.main(
        [
            *("--model-store", str(tmp_path / "store"), "--model", "tiny", "--rows", "3"),
            *("--rounds", "1", "--ways", "greedy", "--json", str(report_file)),
        ]
    )

    groups = json.loads(report_file.read_text(encoding="utf-8"))["groups"]
    assert 2 == len(groups)
    for found in groups.values():
        assert {"temperature", "greedy"} == set(found)
        assert 1.0 == found["temperature"]["ratio"]
        assert found["greedy"]["ratio"] > 0
        assert found["temperature"]["texts"] != found["greedy"]["texts"]
