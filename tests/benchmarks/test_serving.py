"""The benchmark measures what it says, on a model of no size."""

import json
from pathlib import Path

import pytest

from benchmarks import serving
from tests.tiny_model import publish


@pytest.mark.e2e
def test_every_contestant_is_measured_and_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """One short round gives tokens and times for all, and a ratio to each."""
    publish(tmp_path / "store")
    report_file = tmp_path / "report.json"

    serving.main(
        [
            *("--model-store", str(tmp_path / "store"), "--model", "tiny", "--streams", "1,3"),
            *("--rounds", "1", "--seconds", "0.5", "--warmup-s", "0.3", "--max-tokens", "40"),
            *("--without-torch", "--json", str(report_file)),
        ]
    )

    report = json.loads(report_file.read_text(encoding="utf-8"))
    everywhere = {"lstm-serve", "lstm-serve, not streaming", "bare burst graph", "bare step graph"}
    everywhere |= {"the same, one a core", "one session.run per token"}
    alone = {"new prompts of 1,000", "the same prompt of 1,000"}
    measured = {(row["contestant"], row["streams"]) for row in report["rows"]}
    expected = {(name, streams) for name in everywhere for streams in (1, 3)}
    assert expected | {(name, 1) for name in alone} == measured
    assert all(row["tokens_per_s"] > 0 for row in report["rows"])
    served = [row for row in report["rows"] if row["contestant"] == "lstm-serve"]
    assert all(row["completed"] > 0 and row["first_event_ms"]["p50"] > 0 for row in served)
    shown = capsys.readouterr().out
    assert "lstm-serve / bare burst graph: " in shown
    assert "lstm-serve, not streaming / bare burst graph: " in shown
    assert "first event, the same prompt of 1,000 / new prompts of 1,000: " in shown
