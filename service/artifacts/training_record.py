"""training.json: how the training went and what the model writes, for whoever looks at a version.

It lies beside the manifest, which lists it. Versions that were published before have none.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

TRAINING_FILE = "training.json"

Finite = Annotated[float, Field(allow_inf_nan=False)]


class CurvePoint(BaseModel):
    """One look at the validation text.

    Attributes:
        step: Optimiser steps up to here.
        epoch: The same in passes over the text.
        train_loss: Mean since the point before, in nats per token, with dropout.
        validation_loss: In nats per token.
    """

    model_config = ConfigDict(frozen=True)

    step: int
    epoch: Finite
    train_loss: Finite
    validation_loss: Finite


class Sample(BaseModel):
    """What these very weights have written, its prompt included."""

    model_config = ConfigDict(frozen=True)

    temperature: Finite
    seed: int
    text: str


class TrainingRecord(BaseModel):
    """The whole of the file. Fields that this program does not know are left out."""

    model_config = ConfigDict(frozen=True)

    curves: tuple[CurvePoint, ...]
    samples: tuple[Sample, ...]
