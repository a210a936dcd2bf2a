"""What a sweep searches: which fields of which config, and their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Self, cast

from optuna.trial import Trial
from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PositiveInt,
    Tag,
    model_validator,
)

from training.config.files import checked, load_config, parse_config, read_toml
from training.config.train import TRAINING_SECTIONS, TrainConfig
from training.corpora.corpus import Corpus
from training.errors import ConfigError

_SEARCHABLE = ("model.", "training.", "vectors.trainable")
_NOT_SEARCHABLE = ("training.calibrate", "training.evaluations_per_epoch")
"""The first changes no trial's loss, the second what counts as the same moment of two trials."""
Value = str | bool | int | float


class Choice(BaseModel):
    """A hyper-parameter is one of these."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    choices: Annotated[tuple[Value, ...], Field(min_length=1)]

    @property
    def ends(self) -> tuple[Value, ...]:
        """If these fit, all others do."""
        return self.choices

    def suggest(self, trial: Trial, name: str) -> Value:
        """The trial's value."""
        return cast(Value, trial.suggest_categorical(name, self.choices))


class Range(BaseModel):
    """A hyper-parameter is a number between two others; an integer, if all are integers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: int | float
    high: int | float
    step: Annotated[int | float, Field(gt=0)] | None = None
    """Only low, low + step, low + 2 step ..."""
    log: bool = False
    """Small values as closely as large ones."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.low < self.high:
            raise ValueError("'low' must be less than 'high'")
        if self.log and (self.step is not None or self.low <= 0):
            raise ValueError("'log' is for ranges above 0, without 'step'")
        return self

    @property
    def ends(self) -> tuple[Value, ...]:
        """If these fit, all others do."""
        return self.low, self.high

    def suggest(self, trial: Trial, name: str) -> Value:
        """The trial's value."""
        low, high, step = self.low, self.high, self.step
        if isinstance(low, int) and isinstance(high, int) and not isinstance(step, float):
            return trial.suggest_int(name, low, high, step=step or 1, log=self.log)
        return trial.suggest_float(name, low, high, step=step, log=self.log)


def _kind(values: object) -> str:
    has_choices = "choices" in values if isinstance(values, dict) else isinstance(values, Choice)
    return "choice" if has_choices else "range"


Values = Annotated[
    Annotated[Range, Tag("range")] | Annotated[Choice, Tag("choice")], Discriminator(_kind)
]
"""Told apart first, so that a mistake is not reported for both."""


class SweepConfig(BaseModel):
    """What is searched, by one TOML file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    config: str
    """The TOML of the model; relative paths are relative to this file."""
    num_trials: PositiveInt = 20
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 1
    space: Annotated[dict[str, Values], Field(min_length=1)]
    """By the dotted name of the field: "training.learning_rate"."""
    fixed: dict[str, Value] = {}
    """Fields in which all trials differ from the config: fewer epochs, for instance."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name in sorted(self.fixed.keys() | self.space.keys()):
            if name.split(".")[0] in ("corpus", "cleaning"):
                raise ValueError(f"{name!r} is the same for all trials: write it into the config")
        for name in sorted(self.space):
            if not name.startswith(_SEARCHABLE) or name in _NOT_SEARCHABLE:
                raise ValueError(
                    f"{name!r} in 'space': losses of different values cannot be compared"
                )
        for name in sorted(self.fixed.keys() & self.space.keys()):
            raise ValueError(f"{name!r} is both in 'fixed' and in 'space'")
        return self


@dataclass(frozen=True)
class Sweep:
    """A search, and the config that it varies."""

    options: SweepConfig
    base: TrainConfig
    file: Path

    @classmethod
    def load(cls, path: Path) -> Sweep:
        """Read and check both files, and that each range fits its field.

        Raises:
            ConfigError: something is wrong; the message names file and field.
        """
        options = checked(SweepConfig, read_toml(path), str(path))
        sweep = cls(options, load_config((path.parent / options.config).resolve()), path)
        if sweep.base.vectors is not None and "model.embedding_size" in options.space:
            raise ConfigError(f"{path}: 'model.embedding_size' is what the config's vectors have")
        sweep.variant({})
        for name, range_ in options.space.items():
            for value in range_.ends:
                sweep.variant({name: value})
        return sweep

    def with_num_trials(self, num_trials: int) -> Sweep:
        """The same, until so many trials have ended."""
        return replace(self, options=self.options.model_copy(update={"num_trials": num_trials}))

    def variant(self, values: dict[str, Value]) -> TrainConfig:
        """The config with these values in their places.

        Raises:
            ConfigError: a field is unknown, or a value does not fit.
        """
        table = self.base.model_dump(exclude_unset=True)
        for name, value in (self.options.fixed | values).items():
            place: Any = table
            *sections, field = name.split(".")
            for section in sections:
                place = place.setdefault(section, {}) if isinstance(place, dict) else None
            if not isinstance(place, dict):
                raise ConfigError(f"{self.file}: {name}: there is no such field")
            place[field] = value
        source = f"{self.file}, {shown(values)}" if values else str(self.file)
        return parse_config(table, source=source)

    def shared(self, corpus: Corpus) -> dict[str, Any]:
        """What must stay as it is for trials to be compared, as JSON has it."""
        text = self.base.corpus.model_dump(mode="json", exclude={"path"})
        return {
            **self.options.model_dump(mode="json", include={"space", "fixed"}),
            **self.base.model_dump(mode="json", include=set(TRAINING_SECTIONS)),
            "corpus": text | {"sha256": corpus.sha256},
        }


def shown(values: Mapping[str, object]) -> str:
    """Hyper-parameters of a trial for people."""
    return ", ".join(f"{name} = {value}" for name, value in values.items())
