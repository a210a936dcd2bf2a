"""What one step does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.training.tiny import TinyRun, tiny_config
from training.batches.columns import Window
from training.errors import CorpusError, DivergedError
from training.loop.trainer import Trainer, descend, with_unknowns
from training.models.contract import State
from training.models.language_model import Reading
from training.runs.run_folder import new_identity


@pytest.mark.parametrize(("clip_norm", "moved"), [(1.0, 1.0), (100.0, 50.0)])
def test_gradient_is_clipped_by_its_norm(clip_norm: float, moved: float) -> None:
    """A gradient of norm 50: cut to 1 with its direction kept, or left alone below the limit."""
    layer = nn.Linear(2, 1, bias=False)
    before = layer.weight.detach().clone()
    plain = torch.optim.SGD(layer.parameters(), lr=123.0)
    loss = (layer.weight * torch.tensor([[30.0, 40.0]])).sum()
    norm = descend(layer, plain, loss, learning_rate=1.0, clip_norm=clip_norm)
    step = before - layer.weight.detach()
    assert norm == pytest.approx(50.0)
    torch.testing.assert_close(step, moved * torch.tensor([[0.6, 0.8]]), rtol=1e-4, atol=1e-4)


def test_old_gradients_do_not_add_up() -> None:
    """Each step descends its own loss only."""
    layer = nn.Linear(1, 1, bias=False)
    plain = torch.optim.SGD(layer.parameters(), lr=1.0)
    norms = [descend(layer, plain, layer.weight.sum(), 0.1, 10.0) for _ in range(3)]
    assert norms == [1.0, 1.0, 1.0]


def test_unknown_replaces_inputs_and_never_targets() -> None:
    """At about the rate that was asked for."""
    torch.manual_seed(0)
    ids = torch.randint(1, 9, (100, 100))
    window = Window(ids, ids + 1)
    noisy = with_unknowns(window, unknown_id=0, rate=0.1)
    assert torch.equal(noisy.targets_TB, window.targets_TB)
    replaced = noisy.inputs_TB == 0
    assert 800 < int(replaced.sum()) < 1_200
    assert torch.equal(noisy.inputs_TB[~replaced], ids[~replaced])
    assert with_unknowns(window, unknown_id=0, rate=0.0) is window


def test_evaluations_are_spread_over_the_epoch(tiny_run: TinyRun) -> None:
    """43 windows, two evaluations: once past the middle, once at the end."""
    trainer = Trainer(tiny_run.checkpoint.identity, tiny_run.tokens)
    due = [step for step in range(1, 85) if trainer.is_evaluation_due(step)]
    assert trainer.columns.num_windows == 43
    assert due == [22, 43, 65]


def test_state_starts_from_zero_with_each_epoch_and_is_carried_within(
    tiny_run: TinyRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second window's state comes from the first; the next epoch's first from nothing."""
    trainer = Trainer(tiny_run.checkpoint.identity, tiny_run.tokens)
    seen: list[State] = []
    read = trainer._read

    def spy(ids_TB: torch.Tensor, targets_TB: torch.Tensor, state: State) -> Reading:
        seen.append(state)
        return read(ids_TB, targets_TB, state)

    monkeypatch.setattr(trainer, "_read", spy)
    for step in (0, 1, trainer.columns.num_windows):
        trainer.step(step)
    is_zero = [all(bool((part == 0).all()) for part in state) for state in seen]
    assert is_zero == [True, False, True]
    assert not any(part.requires_grad for part in seen[1])


def test_diverging_is_told(tiny_run: TinyRun) -> None:
    """Rather than training on with NaN for hours."""
    trainer = Trainer(tiny_run.checkpoint.identity, tiny_run.tokens)
    with torch.no_grad():
        trainer.model.get_parameter("output.bias").fill_(float("nan"))
    with pytest.raises(DivergedError, match=r"became nan at step 5: .*training\.learning_rate"):
        trainer.step(4)


def test_too_many_columns_for_the_text(text_file: Path, tiny_run: TinyRun) -> None:
    """The message names the option."""
    config = tiny_config(text_file, batch_size=6_000)
    identity = new_identity(config, tiny_run.corpus)
    with pytest.raises(CorpusError, match=r"training\.batch_size"):
        Trainer(identity, tiny_run.tokens)


def test_precision_that_the_cpu_lacks_is_not_needed_to_look(tiny_run: TinyRun) -> None:
    """A checkpoint of a bfloat16 run can be evaluated anywhere: only training autocasts."""
    identity = tiny_run.checkpoint.identity.model_copy(update={"precision": "bfloat16"})
    checkpoint = replace(tiny_run.checkpoint, identity=identity)
    logits, _ = checkpoint.model()(
        torch.zeros(1, 1, dtype=torch.int64),
        checkpoint.model().zero_state(1),
    )
    assert logits.dtype == torch.float32
