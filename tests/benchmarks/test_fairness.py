"""The reader and the crowd are two clients, on a model of no size."""

import json
from pathlib import Path

import pytest

from benchmarks import fairness
from tests.tiny_model import publish


@pytest.mark.e2e
def test_a_reader_is_measured_alone_and_beside_a_crowd(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """One short round gives figures of both, and ratios that are theirs."""
    monkeypatch.setattr(fairness, "_WARMUP_S", 0.3)
    publish(tmp_path / "store")
    report_file = tmp_path / "report.json"

    fairness.main(
        [
            *("--model-store", str(tmp_path / "store"), "--model", "tiny", "--crowd", "4"),
            *("--rounds", "1", "--seconds", "1", "--json", str(report_file)),
        ]
    )

    report = json.loads(report_file.read_text(encoding="utf-8"))
    assert all(report[name]["tokens_per_s"] > 0 for name in (fairness.ALONE, fairness.BESIDE))
    assert set(report["ratios"]) == {"first_event", "gap"}
    assert f"| {fairness.BESIDE} | " in capsys.readouterr().out
