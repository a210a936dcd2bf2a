"""Checkpoint files: whole, inert, and recognised."""

from __future__ import annotations

import json
import os
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.training.tiny import TinyRun
from training.errors import CheckpointError, DiskError
from training.runs.checkpoints import Checkpoint, Position
from training.runs.code_version import code_version


def test_round_trip(tiny_run: TinyRun, tmp_path: Path) -> None:
    """All of it comes back, and nothing else lies beside it."""
    before = replace(tiny_run.checkpoint, temperature=1.25)
    before.save(tmp_path / "c.pt")
    after = Checkpoint.load(tmp_path / "c.pt")
    assert after.identity == before.identity
    assert after.position == before.position
    assert 1.25 == after.temperature == after.model().output.temperature
    assert torch.equal(after.random_states, before.random_states)
    assert all(map(torch.equal, after.carried, before.carried))
    assert all(torch.equal(after.weights[name], before.weights[name]) for name in before.weights)
    assert os.listdir(tmp_path) == ["c.pt"]


def test_what_trained_a_run_is_kept(tiny_run: TinyRun, tmp_path: Path) -> None:
    """Not known of runs that began before it was; those are read all the same."""
    identity = tiny_run.checkpoint.identity
    assert code_version() == identity.code_version
    assert torch.__version__ == identity.torch_version
    content = torch.load(tiny_run.folder.best, weights_only=True)
    meta = json.loads(content["meta"])
    del meta["identity"]["code_version"], meta["identity"]["torch_version"]
    torch.save(content | {"meta": json.dumps(meta)}, tmp_path / "old.pt")
    old = Checkpoint.load(tmp_path / "old.pt").identity
    assert (None, None) == (old.code_version, old.torch_version)


def test_position_before_the_first_evaluation_survives(tiny_run: TinyRun, tmp_path: Path) -> None:
    """Its best loss is infinite, which JSON does not know."""
    first = Checkpoint(
        tiny_run.checkpoint.identity,
        Position(),
        {},
        {},
        torch.get_rng_state()[None],
        tiny_run.checkpoint.carried,
    )
    first.save(tmp_path / "c.pt")
    assert Checkpoint.load(tmp_path / "c.pt").position == Position()


def test_failed_save_keeps_the_old_one(
    tiny_run: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk in the middle of writing."""
    path = tmp_path / "c.pt"
    tiny_run.checkpoint.save(path)
    before = path.read_bytes()

    def half(_content: object, file: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(DiskError, match="No space"):
        tiny_run.checkpoint.save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["c.pt"]


class _Mischief:
    """Unpickled, it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


def test_foreign_code_is_not_run(tmp_path: Path) -> None:
    """A checkpoint from the internet can at most be refused."""
    path = tmp_path / "c.pt"
    torch.save({"format": 1, "meta": _Mischief(tmp_path / "made")}, path)
    with pytest.raises(CheckpointError, match="is damaged"):
        Checkpoint.load(path)
    path.write_bytes(pickle.dumps(_Mischief(tmp_path / "made")))
    with pytest.raises(CheckpointError, match="is damaged"):
        Checkpoint.load(path)
    assert not (tmp_path / "made").exists()


def test_damaged_and_foreign_files_are_told_apart(tiny_run: TinyRun, tmp_path: Path) -> None:
    """Missing, cut off, something else, of another time."""
    path = tmp_path / "c.pt"
    with pytest.raises(CheckpointError, match=r"there is no checkpoint .*c\.pt"):
        Checkpoint.load(path)
    path.write_bytes(tiny_run.folder.best.read_bytes()[:5_000])
    with pytest.raises(CheckpointError, match="is damaged"):
        Checkpoint.load(path)
    torch.save({"weights": {}}, path)
    with pytest.raises(CheckpointError, match="is not a checkpoint of this program"):
        Checkpoint.load(path)
    torch.save({"format": 99}, path)
    with pytest.raises(CheckpointError, match="format 99, this program reads 2"):
        Checkpoint.load(path)


def test_position_counts() -> None:
    """Losses add up between evaluations; stale ones in a row are counted."""
    position = Position().after_step(3.0).after_step(1.0)
    assert (position.step, position.mean_train_loss) == (2, 2.0)
    better = position.after_evaluation(1.5)
    assert (better.best_loss, better.best_step, better.num_losses) == (1.5, 2, 0)
    worse = better.after_step(1.0).after_evaluation(1.5).after_step(1.0).after_evaluation(1.6)
    assert (worse.num_stale_evaluations, worse.best_loss, worse.best_step) == (2, 1.5, 2)
    assert worse.after_evaluation(1.4).num_stale_evaluations == 0
