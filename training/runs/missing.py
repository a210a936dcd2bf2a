"""What is said of a run that is not there: which ones are."""

from __future__ import annotations

from pathlib import Path

from training.config.nearby import listed, nearest, printable

RUNS = Path("runs")
"""Where runs lie, unless `--run-dir` says otherwise."""


def no_checkpoint(path: Path) -> str:
    """One sentence about a checkpoint that is missing, and what there is instead."""
    said = f"there is no checkpoint {path}"
    folder = path.parent
    beside = sorted(other.name for other in folder.glob("*.pt")) if folder.is_dir() else []
    if beside:
        return f"{said}; {folder} holds {listed(beside)}: see --checkpoint"
    runs = _runs_near(folder, path.name)
    found = nearest(folder.name, [run.name for run in runs])
    meant = next((run for run in runs if run.name == found), None)
    if meant is not None:
        return f"{said}; did you mean the run {printable(str(meant))}?"
    names = [printable(str(run)) for run in runs]
    return f"{said}; {f'the runs here: {listed(names)}' if names else 'there is no run here'}"


def _runs_near(folder: Path, file: str) -> list[Path]:
    """Folders beside it, in it and in `runs` that hold such a checkpoint."""
    places = dict.fromkeys([folder, folder.parent, RUNS])
    found = {run.parent for place in places if place.is_dir() for run in place.glob(f"*/{file}")}
    return sorted(found - {folder})
