"""The benchmark of training output layers."""

import json
from pathlib import Path

from benchmarks import softmax_training


def test_all_forms_are_timed(tmp_path: Path):
    """Each at every size."""
    report_file = tmp_path / "report.json"

    softmax_training.main(["--rounds", "1", "--json", str(report_file)], [(16, 40, (10, 20))])

    found = json.loads(report_file.read_text(encoding="utf-8"))["40 words"]
    assert set(found) == {"ordinary", "adaptive, ever narrower", "adaptive, tied"}
    assert all(form["median"] > 0 and form["ratio"] > 0 for form in found.values())
