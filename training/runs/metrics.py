"""metrics.jsonl: one JSON object per step and evaluation, and the way back from them.

    {"kind": "step", "step": 1, "epoch": 0.004, "loss": 4.19, ...}
    {"kind": "evaluation", "step": 246, "epoch": 1.0, "validation_loss": 2.0, ...}

A run that is resumed from step n first drops what was logged after n: those steps are taken
again, and a file with both would count them twice.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from io import TextIOWrapper
from pathlib import Path

from training.disk import whole_file
from training.errors import CheckpointError
from training.runs.records import EvaluationRecord, RunRecord, StepRecord

METRICS_FILE = "metrics.jsonl"


class MetricsLog:
    """An observer that appends to metrics.jsonl."""

    def __init__(self, path: Path) -> None:
        """Nothing is opened before the run starts."""
        self._path = path
        self._file: TextIOWrapper | None = None

    def started(self, record: RunRecord) -> None:
        """Keep the lines up to the first step, if this is a resumed run."""
        history = read_history(self._path, up_to_step=record.first_step)
        kept: list[StepRecord | EvaluationRecord] = [*history.steps, *history.evaluations]
        kept.sort(key=_order)
        with whole_file(self._path) as file:
            file.write("".join(_line(past) for past in kept).encode())
        # Line by line: after a kill -9 the log must reach at least as far as the checkpoint.
        self._file = self._path.open("a", encoding="utf-8", buffering=1)

    def stepped(self, record: StepRecord) -> None:
        """Append."""
        self._append(record)

    def looking(self) -> None:
        """Nothing is known yet."""

    def evaluated(self, record: EvaluationRecord) -> None:
        """Append."""
        self._append(record)

    def finished(self) -> None:
        """Close."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _append(self, record: StepRecord | EvaluationRecord) -> None:
        if self._file is None:
            raise ValueError("a metrics log was used before its run started")
        self._file.write(_line(record))


@dataclass(frozen=True)
class History:
    """All that was measured in one run, in order."""

    steps: list[StepRecord]
    evaluations: list[EvaluationRecord]


def read_history(path: Path, up_to_step: int | None = None) -> History:
    """Read metrics.jsonl; a missing file is an empty history.

    The last line may be half a line, if the run was killed while it was written: it is left out.

    Raises:
        CheckpointError: another line is damaged; the message names it.
    """
    history = History([], [])
    if not path.exists():
        return history
    # Half a line may end in half a character. `splitlines` would also split at U+2028 and others,
    # which older logs hold unescaped.
    lines = path.read_text(encoding="utf-8", errors="replace").removesuffix("\n").split("\n")
    for number, line in enumerate(lines, start=1):
        try:
            record = _record(line)
        except (ValueError, TypeError, KeyError) as error:
            if number == len(lines):
                break
            raise CheckpointError(f"{path}, line {number} is damaged: {error}") from error
        if up_to_step is not None and record.step > up_to_step:
            continue
        if isinstance(record, StepRecord):
            history.steps.append(record)
        else:
            history.evaluations.append(record)
    return history


def _record(line: str) -> StepRecord | EvaluationRecord:
    fields = dict(json.loads(line))
    kinds: dict[str, type[StepRecord | EvaluationRecord]]
    kinds = {"step": StepRecord, "evaluation": EvaluationRecord}
    return kinds[fields.pop("kind")](**fields)


def _line(record: StepRecord | EvaluationRecord) -> str:
    kind = "step" if isinstance(record, StepRecord) else "evaluation"
    return json.dumps({"kind": kind, **asdict(record)}) + "\n"


def _order(record: StepRecord | EvaluationRecord) -> tuple[int, bool]:
    return record.step, isinstance(record, EvaluationRecord)
