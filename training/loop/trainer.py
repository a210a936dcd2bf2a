"""The parts of a run that change with every step, and how one step changes them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.batches.columns import Columns, Window
from training.batches.token_files import TokenFiles
from training.config.optimisation import OptimisationConfig
from training.errors import CheckpointError, ConfigError, DivergedError
from training.evaluation.losses import estimated_loss
from training.loop.optimiser import build_optimiser
from training.loop.sampling import sample_text
from training.loop.schedule import Cycles
from training.loop.vectors import Vectors
from training.loop.workers import ALONE, Workers
from training.models.build import build_model
from training.models.contract import State
from training.models.embedding import TokenEmbedding
from training.models.language_model import LanguageModel, Reading, RecurrentLanguageModel
from training.runs.checkpoints import Checkpoint, Position, RunIdentity


@dataclass(frozen=True)
class TakenStep:
    """What one step of the optimiser did."""

    loss: float
    """Mean cross-entropy of the window in nats, with dropout."""
    gradient_norm: float
    """Before clipping."""
    learning_rate: float
    num_tokens: int


class Trainer:
    """Model, optimiser, text columns and the state that is carried from window to window."""

    def __init__(
        self,
        identity: RunIdentity,
        tokens: TokenFiles,
        workers: Workers = ALONE,
        vectors: Vectors | None = None,
    ) -> None:
        """Seed torch, open the text, draw the initial weights.

        Args:
            identity: Of the run.
            tokens: The text.
            workers: Who trains together.
            vectors: What the embedding of a new run begins with.

        Raises:
            CorpusError: the text is too short for the batch size.
            ConfigError: the columns cannot be shared out equally.
        """
        self.identity = identity
        self._workers = workers
        self._config = config = identity.config.training
        self._tokenizer = tokenizer = identity.tokenizer
        prepare_torch(config.seed)
        if config.batch_size % workers.size:
            raise ConfigError(
                f"training.batch_size = {config.batch_size} cannot be shared out equally to "
                f"{workers.size} processes"
            )
        self.columns = Columns(tokens.train, config.batch_size, config.window, workers.part)
        self.validation_ids = tokens.validation
        self.model = build_model(identity.config.model, tokenizer.vocabulary_size)
        if vectors is not None:
            vectors.write_into(_embedding_of(self.model))
        if identity.config.vectors is not None and not identity.config.vectors.trainable:
            self.model.get_parameter("embedding.weight").requires_grad_(False)
        self._optimiser = build_optimiser(self.model, config)
        self._schedule = Cycles.from_config(config, self.columns.num_windows)
        self.num_steps = self._schedule.num_steps
        self._carried = self._zero_state()
        # Weights without a gradient: of a cluster without a word in this window (tied ones are the
        # embedding's); of the backward direction, when a window has one row.
        sizes = identity.config.model
        may_leave_out = sizes.bidirectional or bool(sizes.adaptive_cutoffs and not sizes.tied)
        # Last: the others get the weights as the first one has them now.
        self._read = workers.reader(self.model, may_leave_out=may_leave_out)
        if not workers.is_first:  # the weights are the first one's; what is left out is one's own
            torch.manual_seed(workers.seed(config.seed))

    def _zero_state(self) -> State:
        return self.model.zero_state(self._config.batch_size // self._workers.size)

    def step(self, step: int) -> TakenStep:
        """Take step number `step`, at the learning rate of the schedule.

        Raises:
            DivergedError: the loss is no longer finite.
        """
        taken = self.take(step, self._schedule(step))
        if not math.isfinite(taken.loss):
            raise DivergedError(
                f"the loss became {taken.loss} at step {step + 1}: "
                "try a smaller training.learning_rate"
            )
        return taken

    def take(self, step: int, learning_rate: float) -> TakenStep:
        """One window, forward, backward, clip, descend; nothing happens if the loss is not finite.

        The state is carried from the window before, and begins anew with each epoch.
        """
        index = step % self.columns.num_windows
        if index == 0:
            self._carried = self._zero_state()
        unknown_id = self._tokenizer.special_ids.unknown
        window = with_unknowns(self.columns[index], unknown_id, self._config.unknown_rate)
        self.model.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.identity.precision == "bfloat16"):
            reading = self._read(window.inputs_TB, window.targets_TB, self._carried)
        self._carried = tuple(part.detach().float() for part in reading.state)
        loss = reading.nats_TB.mean()
        nats = self._workers.mean(loss.item())
        num_tokens = window.num_tokens * self._workers.size
        if not math.isfinite(nats):
            return TakenStep(nats, math.nan, learning_rate, num_tokens)
        loss = loss + regularisation(reading, self._config)
        norm = descend(self.model, self._optimiser, loss, learning_rate, self._config.clip_norm)
        return TakenStep(nats, norm, learning_rate, num_tokens)

    def is_evaluation_due(self, num_steps: int) -> bool:
        """Whether to look at the validation text after `num_steps` steps.

        Evenly spread over each epoch, the last time at its end.
        """
        per_epoch = self._config.evaluations_per_epoch
        return num_steps * per_epoch % self.columns.num_windows < per_epoch

    def validation_loss(self) -> float:
        """`evaluation.losses.estimated_loss` of the model as it is now, in nats."""
        part = estimated_loss(self.model, self.validation_ids, self._workers.part)
        return self._workers.mean(part.nats)

    def sample(self) -> str:
        """A text by the model as it is now; the same random numbers every time.

        Empty for a model that cannot write.
        """
        if not isinstance(self.model, RecurrentLanguageModel):
            return ""
        sample, seed = self.identity.config.sample, self._config.seed
        return sample_text(self.model, self._tokenizer, sample, seed)

    def checkpoint(self, position: Position) -> Checkpoint:
        """All that `restore` needs."""
        return Checkpoint(
            identity=self.identity,
            position=position,
            weights=self.model.state_dict(),
            optimiser=self._optimiser.state_dict(),
            random_states=self._workers.gathered(torch.get_rng_state()[None]),
            carried=tuple(map(self._workers.gathered, self._carried)),
        )

    def restore(self, checkpoint: Checkpoint) -> Position:
        """Inverse of `checkpoint`: go on as if there had been no interruption.

        Raises:
            CheckpointError: the run has another number of processes.
        """
        if len(checkpoint.random_states) != self._workers.size:
            raise CheckpointError(
                f"the run was trained by {len(checkpoint.random_states)} processes, now there are "
                f"{self._workers.size}: see torchrun's --nproc-per-node"
            )
        self.model.load_state_dict(checkpoint.weights)
        self._optimiser.load_state_dict(checkpoint.optimiser)
        # torch reads it from where its storage begins, whatever the view.
        torch.set_rng_state(self._workers.mine(checkpoint.random_states)[0].clone())
        self._carried = tuple(map(self._workers.mine, checkpoint.carried))
        return checkpoint.position


def with_unknowns(window: Window, unknown_id: int | None, rate: float) -> Window:
    """Replace a few inputs, never targets, by <unk>: it learns to mean "some character"."""
    if rate == 0.0 or unknown_id is None:
        return window
    chosen = torch.rand(window.inputs_TB.shape) < rate
    return Window(window.inputs_TB.masked_fill(chosen, unknown_id), window.targets_TB)


def descend(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    loss: Tensor,
    learning_rate: float,
    clip_norm: float,
) -> float:
    """One step of the optimiser; returns the norm of the gradient before it was clipped.

    Clipping by the norm of all gradients together keeps their direction (Pascanu et al. 2013,
    arXiv:1211.5063).
    """
    for group in optimiser.param_groups:
        group["lr"] = learning_rate
    optimiser.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    norm = nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
    optimiser.step()
    return float(norm)


def _embedding_of(model: LanguageModel) -> TokenEmbedding:
    embedding = model.get_submodule("embedding")
    if not isinstance(embedding, TokenEmbedding):
        raise TypeError(f"{embedding} is no embedding of tokens")
    return embedding


def prepare_torch(seed: int) -> None:
    """Make it draw the same numbers for the same seed."""
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    # By default that mode also fills every new tensor with NaN, to show reads of what was never
    # written. No operation here reads such memory, and the filling takes time in every step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def regularisation(reading: Reading, config: OptimisationConfig) -> Tensor:
    """What large and what quickly changing activations cost: AR and TAR of Merity et al. 2017."""
    cost = reading.hidden_TBH.new_zeros(())
    if config.activation_regularisation:
        cost = cost + config.activation_regularisation * reading.dropped_TBH.float().pow(2).mean()
    if config.temporal_regularisation and len(reading.hidden_TBH) > 1:
        change = reading.hidden_TBH[1:].float() - reading.hidden_TBH[:-1].float()
        cost = cost + config.temporal_regularisation * change.pow(2).mean()
    return cost
