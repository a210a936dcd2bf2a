"""What several verbs of `lstm-train` can be told on the command line.

A group of options is a pydantic model, so that a value's range stands at the value; cyclopts reads
the options' names off the fields.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import ArgumentCollection, Group, Parameter
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from rich.console import Console

from training.errors import ConfigError
from training.loop.workers import ALONE, Workers

PICTURES = (".png", ".pdf")
MODEL_STORE = Path("model_store")


def _is_picture(path: Path) -> Path:
    if path.suffix.lower() not in PICTURES:
        raise ValueError(f"{str(path)!r} does not end in {' or '.join(PICTURES)}")
    return path


Positive = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0, lt=2**63)]
Picture = Annotated[Path, AfterValidator(_is_picture), Parameter(metavar="FILE")]
Flat = Parameter(name="*")
"""A group whose options stand beside the others."""

ConfigFile = Annotated[Path | None, Parameter(help="a TOML file", metavar="CONFIG")]
Moment = Literal["best", "last"]
Store = Annotated[Path, Parameter(help="the model store", metavar="DIR")]
DataFolder = Annotated[
    Path | None,
    Parameter(
        name="--data",
        help="where named corpora are kept (default: $LSTM_TRAIN_DATA or ~/.cache/lstm-train)",
        metavar="DIR",
    ),
]


class Options(BaseModel):
    """A group of options."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    @property
    def named(self) -> set[str]:
        """The fields that have a value."""
        return {name for name in type(self).model_fields if getattr(self, name) is not None}


class Process(Options):
    """The process that does it: its threads, and who works beside it."""

    threads: Annotated[
        Positive | None, Parameter(help="CPU threads (default: torch's choice)", metavar="N")
    ] = None
    workers: Annotated[Workers, Parameter(parse=False)] = ALONE
    console: Annotated[Console, Parameter(parse=False)] = Field(default_factory=Console)

    def require_alone(self, verb: str) -> None:
        """Refuse to do the same several times side by side.

        Raises:
            ConfigError: there are others.
        """
        if self.workers.size > 1:
            raise ConfigError(f"{verb} is for one process: start it without torchrun")


class Source(Options):
    """Which text becomes which model."""

    text: Annotated[
        Path | None,
        Parameter(
            help="a file or folder like the config's corpus (by itself: UTF-8 text), instead of it",
            metavar="PATH",
        ),
    ] = None
    name: Annotated[
        str | None, Parameter(help="name of the model, instead of the config's", metavar="NAME")
    ] = None
    data: DataFolder = None


class RunCheckpoint(Options):
    """A checkpoint of a run."""

    run_dir: Annotated[Path, Parameter(help="the run's folder", metavar="DIR")]
    checkpoint: Annotated[Moment, Parameter(help="lowest validation loss, or newest")] = "best"


def _one_of_both(arguments: ArgumentCollection) -> None:
    if sum(bool(argument.tokens) for argument in arguments) != 1:
        raise ValueError("either --run-dir or --model is needed, and not both")


_WHICH = Group("Of what (one of both)", validator=_one_of_both, sort_key=0)


class CheckpointOrModel(Options):
    """A checkpoint of a run, or a model of the store."""

    run_dir: Annotated[
        Path | None, Parameter(help="a run's checkpoint", metavar="DIR", group=_WHICH)
    ] = None
    model: Annotated[
        str | None, Parameter(help="a model of the store", metavar="NAME[@N]", group=_WHICH)
    ] = None
    checkpoint: Annotated[
        Moment | None,
        Parameter(help="with --run-dir: lowest validation loss, or newest (default: best)"),
    ] = None
    store: Annotated[
        Path | None,
        Parameter(help="with --model: the model store (default: model_store)", metavar="DIR"),
    ] = None

    @property
    def required_run_dir(self) -> Path:
        """The run, where no model of the store is meant."""
        if self.run_dir is None:
            raise AssertionError("neither a run nor a model")
        return self.run_dir


def option_name(field: str) -> str:
    """How a field is written on the command line."""
    return f"--{field.replace('_', '-')}"
