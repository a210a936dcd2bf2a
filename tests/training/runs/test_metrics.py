"""metrics.jsonl and the picture made of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.tiny import TinyRun
from training.errors import CheckpointError, ConfigError
from training.runs.curves import draw_curves
from training.runs.metrics import METRICS_FILE, History, MetricsLog, read_history
from training.runs.records import EvaluationRecord, RunRecord, StepRecord
from training.runs.tensorboard import TensorBoardLog

PNG = b"\x89PNG\r\n\x1a\n"


def started(first_step: int) -> RunRecord:
    """A run that begins at `first_step`."""
    return RunRecord("m", 1, 2, 3, 4, 100, 10, "float32", first_step)


def step(number: int) -> StepRecord:
    """Step `number`."""
    return StepRecord(number, number / 10, 2.0, 1.0, 0.1, 64, float(number))


def evaluation(number: int) -> EvaluationRecord:
    """After step `number`."""
    return EvaluationRecord(number, number / 10, 2.0, 1.9, True, "“text”\n", float(number))


def test_lines_are_json_and_come_back(tmp_path: Path) -> None:
    """In order, each readable by itself, on disk before the next step is taken."""
    path = tmp_path / METRICS_FILE
    log = MetricsLog(path)
    log.started(started(0))
    log.stepped(step(1))
    assert [json.loads(line)["kind"] for line in path.read_text("utf-8").splitlines()] == ["step"]
    log.evaluated(evaluation(1))
    log.finished()
    assert read_history(path) == History([step(1)], [evaluation(1)])


def test_resuming_drops_what_is_done_again(tmp_path: Path) -> None:
    """Killed after step 5 and half a line, resumed from step 3."""
    path = tmp_path / METRICS_FILE
    log = MetricsLog(path)
    log.started(started(0))
    for number in range(1, 6):
        log.stepped(step(number))
        log.evaluated(evaluation(number))
    log.finished()
    with path.open("a", encoding="utf-8") as file:
        file.write('{"kind": "step", "st')
    log.started(started(3))
    log.stepped(step(4))
    log.finished()
    history = read_history(path)
    assert [record.step for record in history.steps] == [1, 2, 3, 4]
    assert [record.step for record in history.evaluations] == [1, 2, 3]


LINE_ENDS = "one\u2028two\u2029three\x85four\x1cfive\r\n"


def test_samples_may_hold_any_line_end(tmp_path: Path) -> None:
    """Also those of Unicode, which JSON leaves as they are; logs of before are read likewise."""
    path = tmp_path / METRICS_FILE
    log = MetricsLog(path)
    wanted = replace(evaluation(1), sample=LINE_ENDS)
    log.started(started(0))
    log.evaluated(wanted)
    log.finished()
    assert path.read_bytes().isascii()
    assert History([], [wanted]) == read_history(path)
    as_before = json.dumps(json.loads(path.read_text("utf-8")), ensure_ascii=False)
    path.write_text(as_before + "\n", encoding="utf-8")
    assert History([], [wanted]) == read_history(path)
    log.started(started(1))
    log.finished()
    assert History([], [wanted]) == read_history(path)


def test_a_log_that_ends_in_half_a_character(tmp_path: Path) -> None:
    """Is read up to the line before."""
    path = tmp_path / METRICS_FILE
    log = MetricsLog(path)
    log.started(started(0))
    log.stepped(step(1))
    log.finished()
    with path.open("ab") as file:
        file.write('{"kind": "evaluation", "sample": "漢'.encode()[:-1])
    assert History([step(1)], []) == read_history(path)


def test_a_damaged_line_before_the_last_is_told(tmp_path: Path) -> None:
    """Rather than left out of the curves."""
    path = tmp_path / METRICS_FILE
    log = MetricsLog(path)
    log.started(started(0))
    log.stepped(step(1))
    log.finished()
    path.write_text('{"kind": "st\n' + path.read_text("utf-8"), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"metrics\.jsonl, line 1 is damaged"):
        read_history(path)


def test_log_before_the_run_is_a_mistake(tmp_path: Path) -> None:
    """A bug of the caller, told at once."""
    with pytest.raises(ValueError, match="before its run started"):
        MetricsLog(tmp_path / METRICS_FILE).stepped(step(1))


def test_run_leaves_curves_beside_its_checkpoints(tiny_run: TinyRun) -> None:
    """Drawn at every evaluation."""
    assert (tiny_run.folder.path / "curves.png").read_bytes().startswith(PNG)


def test_same_run_same_picture(tiny_run: TinyRun, tmp_path: Path) -> None:
    """No date inside, so that checksums can be compared."""
    history = read_history(tiny_run.folder.path / METRICS_FILE)
    for name in ("a.png", "b.png"):
        draw_curves(history, "tiny", tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_nothing_measured_nothing_drawn(tmp_path: Path) -> None:
    """Rather than an empty picture."""
    with pytest.raises(CheckpointError, match="no evaluation"):
        draw_curves(History([step(1)], []), "m", tmp_path / "c.png")
    assert not (tmp_path / "c.png").exists()


def test_tensorboard_files(tmp_path: Path) -> None:
    """Readable by TensorBoard, with what was logged."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = TensorBoardLog(tmp_path)
    log.started(started(0))
    log.stepped(step(1))
    log.evaluated(evaluation(1))
    log.finished()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert set(events.Tags()["scalars"]) == {
        "train/loss",
        "train/gradient_norm",
        "train/learning_rate",
        "validation/loss",
    }
    [scalar] = events.Scalars("validation/loss")
    assert (scalar.step, scalar.value) == (1, pytest.approx(1.9))


def test_tensorboard_missing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that helps."""
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError, match="pip install tensorboard"):
        TensorBoardLog(tmp_path)
