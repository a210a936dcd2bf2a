"""The training benchmark measures what it says, on a model of no size."""

import json
from pathlib import Path

import pytest

from benchmarks import training
from tests.training.tiny import sentences


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_everything_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """One round gives tokens/s for all, and a ratio to the first; one process beside two."""
    text = tmp_path / "text.txt"
    text.write_text(sentences(30_000), encoding="utf-8")
    config = tmp_path / "tiny.toml"
    config.write_text(
        f"""
        name = "tiny"
        corpus = {{ path = {str(text)!r} }}
        model = {{ hidden_size = 16, embedding_size = 8 }}
        training = {{ batch_size = 8, window = 16, epochs = 1, precision = "float32" }}
        """,
        encoding="utf-8",
    )
    report_file = tmp_path / "report.json"

    training.main([str(config), "--rounds", "1", "--json", str(report_file)])

    report = json.loads(report_file.read_text(encoding="utf-8"))
    steps = report["steps"]
    assert ["nn.LSTM, float32", "training, float32"] == list(steps["float32"])
    assert {"float32", "no training", "float32 and bfloat16"} == set(steps)
    assert {"processes: 1", "processes: 2"} == set(report["processes"])
    for group in (*steps.values(), report["processes"]):
        figures = list(group.values())
        assert all(figure["median"] > 0 for figure in figures)
        assert figures[0]["ratio"] == 1
    assert "processes: 2" in capsys.readouterr().out
