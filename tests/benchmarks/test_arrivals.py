"""Clients that come by themselves, on a model of no size."""

import json
from pathlib import Path

import pytest

from benchmarks import arrivals, peers
from benchmarks.contestants import OURS
from tests.tiny_model import publish


@pytest.mark.e2e
def test_all_are_asked_at_a_part_of_what_they_can_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """One short round; the open loop asks for less than the closed one got."""
    publish(tmp_path / "store")
    report_file = tmp_path / "report.json"

    arrivals.main(
        [
            *("--model-store", str(tmp_path / "store"), "--model", "tiny", "--streams", "2"),
            *("--rounds", "1", "--seconds", "1", "--warmup-s", "0.2", "--max-tokens", "64"),
            *("--share", "0.2", "--json", str(report_file)),
        ]
    )

    report = json.loads(report_file.read_text(encoding="utf-8"))
    assert [OURS, peers.OURS_EVERY, peers.PEER] == [row["server"] for row in report["rows"]]
    for row in report["rows"]:
        assert 0 < row["asked_per_s"] < row["texts_per_s"]
        assert row["closed_ms"]["p50"] > 0
    assert "| as they come, p50 (p99) ms |" in capsys.readouterr().out
