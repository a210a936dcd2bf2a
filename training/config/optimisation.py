"""The training itself: batches, schedule, optimiser."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from training.config.section import Probability, Section

Precision = Literal["auto", "float32", "bfloat16"]


class RestartConfig(Section):
    """One more cycle of the learning rate, after the first."""

    epochs: Annotated[int, Field(ge=1, le=100_000)]
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)]
    """The peak of this cycle."""


class OptimisationConfig(Section):
    """Batches, schedule, optimiser, and when to look at the validation text."""

    epochs: Annotated[int, Field(ge=1, le=100_000)] = 11
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 32
    """Columns: parallel places in the text."""
    window: Annotated[int, Field(ge=1, le=65_536)] = 128
    """Tokens per truncated back-propagation."""
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)] = 3e-3
    """The peak, reached after the warm-up."""
    warmup_fraction: Probability = 0.1
    final_fraction: Annotated[float, Field(ge=0.0, le=1.0)] = 0.001
    """Learning rate of the last step as a fraction of the peak."""
    restarts: Annotated[tuple[RestartConfig, ...], Field(strict=False)] = ()
    """Further cycles, each warming up and decaying like the first. A run that has ended can be
    resumed with restarts added: it then is the run that had them from the beginning."""
    weight_decay: Annotated[float, Field(ge=0.0, le=10.0)] = 0.02
    """Of matrices, apart from the gradient (Loshchilov & Hutter 2019, arXiv:1711.05101)."""
    betas: Annotated[tuple[Probability, Probability], Field(strict=False)] = (0.9, 0.99)
    clip_norm: Annotated[float, Field(gt=0.0)] = 1.0
    activation_regularisation: Annotated[float, Field(ge=0.0)] = 0.0
    """AR: weight of the mean square of the last layer's dropped output (Merity et al. 2017,
    arXiv:1708.01009)."""
    temporal_regularisation: Annotated[float, Field(ge=0.0)] = 0.0
    """TAR: weight of the mean square of its change from token to token (the same paper)."""
    unknown_rate: Probability = 0.001
    """How often an input is replaced by <unk>, so that <unk> gets a meaning. (Bytes have none.)"""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    precision: Precision = "auto"
    evaluations_per_epoch: Annotated[int, Field(ge=1, le=1000)] = 1
    patience: Annotated[int, Field(ge=1)] | None = None
    """Stop after so many evaluations in a row without a better validation loss."""
    calibrate: bool = False
    """In the end, divide the best moment's logits by one number that is fitted to the validation
    text: temperature scaling (Guo et al. 2017, arXiv:1706.04599)."""
