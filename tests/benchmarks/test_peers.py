"""The peers are measured beside our server, on a model of no size."""

import json
from pathlib import Path

import pytest

from benchmarks import peers
from benchmarks.contestants import OURS
from tests.tiny_model import publish


@pytest.mark.e2e
def test_all_are_measured_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """One short round gives figures of all, ratios, a table and a picture."""
    publish(tmp_path / "store")
    report_file, image = tmp_path / "report.json", tmp_path / "peers.png"
    table = tmp_path / "table.md"

    peers.main(
        [
            *("--model-store", str(tmp_path / "store"), "--model", "tiny", "--streams", "1,2"),
            *("--rounds", "1", "--seconds", "0.4", "--warmup-s", "0.2", "--max-tokens", "20"),
            *("--png", str(image), "--json", str(report_file), "--markdown", str(table)),
        ]
    )

    report = json.loads(report_file.read_text(encoding="utf-8"))
    measured = {(row["server"], row["streams"]) for row in report["rows"]}
    names = [OURS, peers.OURS_EVERY, peers.PEER]
    assert {(name, num) for name in names for num in (1, 2)} == measured
    assert all(row["tokens_per_s"] > 0 for row in report["rows"])
    assert {name: {"1", "2"} for name in names[1:]} == {
        name: set(of_streams) for name, of_streams in report["ratios"].items()
    }
    assert all(report["resident_mb"][name] > 10 for name in names)
    head, rule, *lines = table.read_text(encoding="utf-8").splitlines()
    assert names == [line.split(" | ")[0].removeprefix("| ") for line in lines]
    assert {head.count("|")} == {line.count("|") for line in (rule, *lines)}
    assert b"\x89PNG" == image.read_bytes()[:4]
    assert "FastAPI + onnxruntime, async at 2: " in capsys.readouterr().out
