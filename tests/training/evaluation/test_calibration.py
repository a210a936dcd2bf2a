"""As sure as it is right, and served that way."""

from __future__ import annotations

import shutil
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
import torch
from rich.console import Console

from service.artifacts.store import ModelStore
from tests.training.models.small import VOCABULARY, small_model
from tests.training.tiny import TinyRun
from training.corpora.load import load_corpus
from training.evaluation.calibration import fit_temperature
from training.evaluation.losses import estimated_loss
from training.export.parity import check_parity
from training.export.step_graph import export_step
from training.models.output import Softmax
from training.pipeline import Desk, WhatToTrain, publish_checkpoint, train_model
from training.publishing.candidate import build_candidate
from training.runs.checkpoints import Checkpoint
from training.runs.run_folder import RunFolder


@pytest.mark.parametrize("surer", [0.05, 0.7, 1.0, 3.0, 20.0])
def test_it_undoes_any_sureness(tiny_run: TinyRun, surer: float) -> None:
    """Logits that are so many times larger are divided by so much more."""
    ids = tiny_run.tokens.validation
    plain = fit_temperature(tiny_run.model, ids)
    model = tiny_run.model
    assert isinstance(model.output, Softmax)
    with torch.no_grad():
        model.output.weight.mul_(surer)
        model.output.bias.mul_(surer)
    found = fit_temperature(model, ids)

    assert found.temperature == pytest.approx(plain.temperature * surer, rel=1e-3)
    assert found.nats_after == pytest.approx(plain.nats_after, abs=1e-6)
    assert found.nats_after <= found.nats_before


def test_no_other_temperature_is_better(tiny_run: TinyRun) -> None:
    """By the measure that everything else is measured with."""
    ids = tiny_run.tokens.validation
    model = tiny_run.model

    def loss(temperature: float) -> float:
        model.output.temperature = temperature
        return estimated_loss(model, ids).nats

    found = fit_temperature(model, ids).temperature
    assert loss(found) < min(loss(found * 0.97), loss(found * 1.03))
    assert fit_temperature(model, ids).temperature == found


def test_a_model_without_an_opinion_stays_as_it_is(tiny_run: TinyRun) -> None:
    """Nothing is divided by nothing."""
    model = tiny_run.model
    assert isinstance(model.output, Softmax)
    with torch.no_grad():
        model.output.weight.zero_()
        model.output.bias.zero_()
    assert 1.0 == fit_temperature(model, tiny_run.tokens.validation).temperature


OUTPUTS: dict[str, dict[str, object]] = {
    "softmax": {},
    "tied": {"tied": True, "embedding_size": 6},
    "adaptive": {"adaptive_cutoffs": [4, 8], "adaptive_division": 2.0},
    "tied and adaptive": {"adaptive_cutoffs": [4, 8], "tied": True, "embedding_size": 6},
}


@pytest.mark.parametrize("config", OUTPUTS.values(), ids=OUTPUTS.keys())
def test_every_output_has_a_temperature(config: dict[str, object]) -> None:
    """Its losses, its logits and its graph agree about it; a tied embedding is as it was."""
    model = small_model(**config)
    ids_TB = torch.randint(VOCABULARY, (8, 3))
    with torch.inference_mode():
        plain_TBV, _ = model(ids_TB[:-1], model.zero_state(3))
        model.output.temperature = 1.6
        logits_TBV, _ = model(ids_TB[:-1], model.zero_state(3))
        reading = model.read(ids_TB[:-1], ids_TB[1:], model.zero_state(3))

    torch.testing.assert_close(logits_TBV, plain_TBV / 1.6)
    wanted = torch.nn.functional.cross_entropy(
        (plain_TBV / 1.6).flatten(0, 1), ids_TB[1:].flatten(), reduction="none"
    )
    torch.testing.assert_close(reading.nats_TB.flatten(), wanted)
    check_parity(model, export_step(model, {}), tolerance=1e-3, seed=1)


def test_what_is_published_is_calibrated(tiny_run: TinyRun) -> None:
    """int8 too."""
    plain = build_candidate(tiny_run.checkpoint, tiny_run.held_out)
    checkpoint = replace(tiny_run.checkpoint, temperature=5.0)
    flat = build_candidate(checkpoint, tiny_run.held_out)
    for before, after in zip(plain.evaluations, flat.evaluations, strict=True):
        assert (before.method, before.precision) == (after.method, after.precision)
        assert after.nats_per_token > before.nats_per_token + 0.1


def test_a_run_that_is_to_be_calibrated(tiny_run: TinyRun, tmp_path: Path) -> None:
    """The best moment gets its temperature, and card and manifest say so."""
    config = tiny_run.config
    training = config.training.model_copy(update={"calibrate": True, "epochs": 1})
    config = config.model_copy(update={"training": training})
    corpus = load_corpus(config.corpus)
    folder = RunFolder(tmp_path / "run")
    screen = StringIO()
    desk, store = Desk(Console(file=screen, width=100)), ModelStore(tmp_path / "m")
    train_model(WhatToTrain(config, corpus, folder), desk)

    checkpoint = Checkpoint.load(folder.best)
    ids = folder.tokens(checkpoint.identity, corpus).validation
    found = fit_temperature(checkpoint.model(), ids)
    assert 1.0 != found.temperature == checkpoint.temperature
    assert 1.0 == Checkpoint.load(folder.last).temperature
    assert f"calibrated: logits over {found.temperature:.3f}" in screen.getvalue()
    artifact = publish_checkpoint(checkpoint, corpus, folder, desk.console, store, 1)
    assert found.temperature == artifact.manifest.provenance.calibrated_temperature
    card = artifact.read("README.md").decode("utf-8")
    assert f"divided by {found.temperature:.3f}" in card
    last = Checkpoint.load(folder.last)
    artifact = publish_checkpoint(last, corpus, folder, desk.console, store, 2)
    assert 1.0 != artifact.manifest.provenance.calibrated_temperature, "asked for by the config"


def test_calibration_that_is_added_later(tiny_run: TinyRun, tmp_path: Path) -> None:
    """To a run that had ended: its best moment then is of the config that asked for it."""
    corpus = load_corpus(tiny_run.config.corpus)
    folder = RunFolder(tmp_path / "run")
    shutil.copytree(tiny_run.folder.path, folder.path)
    training = tiny_run.config.training.model_copy(update={"calibrate": True})
    config = tiny_run.config.model_copy(update={"training": training})
    desk = Desk(Console(file=StringIO()))
    train_model(WhatToTrain(config, corpus, folder, resume=True), desk)
    best = Checkpoint.load(folder.best)
    assert best.temperature != 1.0
    assert best.identity.config.training.calibrate
