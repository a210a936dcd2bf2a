"""The engine's benchmark measures what it says, on a model of no size."""

import json
from pathlib import Path

import pytest

from benchmarks import engine
from tests.tiny_model import publish


@pytest.mark.e2e
def test_every_group_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """One short round gives a figure for all, and a ratio to the first of its group."""
    publish(tmp_path / "store")
    report_file = tmp_path / "report.json"

    engine.main(
        [
            *("--model-store", str(tmp_path / "store"), "--model", "tiny", "--rows", "1,3"),
            *("--rounds", "1", "--seconds", "0.1", "--large", "0", "--json", str(report_file)),
        ]
    )

    groups = json.loads(report_file.read_text(encoding="utf-8"))["groups"]
    assert len(groups) == 6
    for group in groups.values():
        figures = list(group.values())
        assert all(figure["median"] > 0 for figure in figures)
        assert figures[0]["ratio"] == 1
    assert set(groups["tokens/s, 3 rows"]) == {
        "bare burst graph",
        "decoder",
        "bare burst graphs, one a core",
        "engines, one a core",
        "bare step graph (no sampling)",
    }
    assert "three penalties" in capsys.readouterr().out
