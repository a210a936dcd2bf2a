"""Checkpoints: all that a stopped run needs to go on as if it had never stopped.

A checkpoint file is a dictionary of plain tensors plus one JSON string; it is read with
`weights_only=True`, so a foreign file can do no more than be refused. It holds everything, config
and tokenizer included: `evaluate`, `sample`, `export` and `publish` need nothing but it (and the
text, where a loss is to be measured).

    <run folder>/last.pt   the newest position, for resuming
    <run folder>/best.pt   the lowest validation loss so far, for publishing
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, cast

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor

from service.artifacts.manifest import SpecialIds
from training.config.train import TrainConfig
from training.corpora.cleaning import recorded
from training.disk import Steadfast, whole_file
from training.errors import CheckpointError
from training.models.build import build_model
from training.models.contract import State
from training.models.language_model import LanguageModel
from training.models.precision import ResolvedPrecision
from training.runs.missing import no_checkpoint
from training.tokenization.tokenizer import TextTokenizer

FORMAT = 2
LAST = "last.pt"
BEST = "best.pt"


@dataclass(frozen=True)
class Position:
    """How far a run has come. Steps are counted from 0; `step` is the next one to take."""

    step: int = 0
    best_loss: float = float("inf")
    best_step: int = 0
    num_stale_evaluations: int = 0
    """Evaluations in a row that were not the best so far."""
    loss_sum: float = 0.0
    """Of the training losses since the last evaluation, one per step."""
    num_losses: int = 0
    wall_time_s: float = 0.0
    """Time spent in training, over all interruptions."""

    @property
    def mean_train_loss(self) -> float:
        """Mean of the training losses since the last evaluation; NaN if there were none."""
        return self.loss_sum / self.num_losses if self.num_losses else float("nan")

    def after_step(self, loss: float) -> Position:
        """The position after one more step."""
        return replace(
            self,
            step=self.step + 1,
            loss_sum=self.loss_sum + loss,
            num_losses=self.num_losses + 1,
        )

    def after_evaluation(self, validation_loss: float) -> Position:
        """The position after a look at the validation text."""
        fresh = replace(self, loss_sum=0.0, num_losses=0)
        if validation_loss < self.best_loss:
            return replace(
                fresh, best_loss=validation_loss, best_step=self.step, num_stale_evaluations=0
            )
        return replace(fresh, num_stale_evaluations=self.num_stale_evaluations + 1)


class CorpusIdentity(BaseModel):
    """Which text a run reads; the text itself stays where it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    source: str
    licence: str | None
    sha256: str
    num_characters: int


class RunIdentity(BaseModel):
    """What stays the same during one run; resuming under another identity is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    config: TrainConfig
    corpus: CorpusIdentity
    precision: ResolvedPrecision
    """The number format that "auto" became when the run began."""
    tokenizer_json: str
    special_ids: SpecialIds
    code_version: str | None = None
    """Of the program that the run began with; None if it began before this was kept."""
    torch_version: str | None = None
    """Likewise."""

    @property
    def tokenizer(self) -> TextTokenizer:
        """The run's tokenizer."""
        cleaning = recorded(self.config.cleaning)
        return TextTokenizer.from_json(self.tokenizer_json, self.special_ids, cleaning)


class _Meta(BaseModel):
    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="constants")

    identity: RunIdentity
    position: Position
    temperature: float = 1.0


@dataclass(frozen=True)
class Checkpoint:
    """One moment of a run."""

    identity: RunIdentity
    position: Position
    weights: dict[str, Tensor]
    optimiser: dict[str, Any]
    """`state_dict()` of the optimiser: tensors and numbers."""
    random_states: Tensor
    """torch's global generator of each process, uint8[processes, bytes]."""
    carried: State
    """The state at the end of the last window, of all columns."""
    temperature: float = 1.0
    """What the finished model divides its logits by: see `evaluation.calibration`."""

    def save(self, path: Path) -> None:
        """Write so that `path` holds the old checkpoint or the new one, never half of one.

        Raises:
            DiskError: it cannot be written; the old one is whole.
        """
        meta = _Meta(identity=self.identity, position=self.position, temperature=self.temperature)
        content = {
            "format": FORMAT,
            "meta": meta.model_dump_json(),
            "weights": self.weights,
            "optimiser": self.optimiser,
            "random_states": self.random_states,
            "carried": self.carried,
        }
        with whole_file(path, self.num_bytes) as file:
            steadfast = Steadfast(file)
            torch.save(content, cast("IO[bytes]", steadfast))
            steadfast.require()

    @property
    def num_bytes(self) -> int:
        """How large its file will be, about."""
        moments = self.optimiser.get("state", {}).values()
        tensors = [*self.weights.values(), *(t for moment in moments for t in moment.values())]
        held = sum(t.numel() * t.element_size() for t in tensors if isinstance(t, Tensor))
        return held + len(self.identity.tokenizer_json)

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Read a checkpoint.

        Raises:
            CheckpointError: it is missing, damaged, or of another format; the message says which.
        """
        if not path.exists():
            raise CheckpointError(no_checkpoint(path))
        try:
            content = cast("dict[str, Any]", torch.load(path, weights_only=True))
            if content["format"] != FORMAT:
                raise CheckpointError(
                    f"{path} has checkpoint format {content['format']}, this program reads {FORMAT}"
                )
            meta = _Meta.model_validate_json(content["meta"])
            return cls(
                identity=meta.identity,
                position=meta.position,
                weights=content["weights"],
                optimiser=content["optimiser"],
                random_states=content["random_states"],
                carried=tuple(content["carried"]),
                temperature=meta.temperature,
            )
        except (CheckpointError, MemoryError):
            raise
        except (ValidationError, KeyError, TypeError) as error:
            raise CheckpointError(f"{path} is not a checkpoint of this program: {error}") from error
        # torch.load has no error class of its own: EOFError, RuntimeError, UnpicklingError, ...
        except Exception as error:
            raise CheckpointError(f"{path} is damaged: {error}") from error

    def with_config(self, config: TrainConfig) -> Checkpoint:
        """The same moment, but described, sampled and published as `config` says."""
        return replace(self, identity=self.identity.model_copy(update={"config": config}))

    def model(self) -> LanguageModel:
        """The network with this checkpoint's weights, ready to evaluate."""
        config = self.identity.config
        model = build_model(config.model, self.identity.tokenizer.vocabulary_size)
        model.load_state_dict(self.weights)
        model.output.temperature = self.temperature
        return model.eval()
