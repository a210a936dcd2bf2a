"""The benchmark of output layers compares equals."""

import json
from pathlib import Path

import pytest

from benchmarks import softmax


@pytest.mark.slow
def test_both_forms_give_the_same_probabilities(tmp_path: Path):
    """In float32 but for rounding; and each is timed at every number of rows."""
    sizes = softmax.Sizes(hidden_size=16, vocabulary_size=40, cutoffs=(10, 20))
    report_file = tmp_path / "report.json"

    softmax.main(["--rounds", "1", "--json", str(report_file)], [sizes])

    found = json.loads(report_file.read_text(encoding="utf-8"))[str(sizes)]
    assert 0 < found["one product, float32"]["difference"] < 1e-5
    assert 1e-5 < found["one product, int8"]["difference"] < 0.1
    assert "difference" not in found["ordinary softmax, int8"]
    for contestant in found.values():
        assert set(contestant["steps"]) == {"1", "16", "64"}
        assert all(at["seconds"] > 0 for at in contestant["steps"].values())
