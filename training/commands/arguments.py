"""What several verbs of `lstm-train` can be told on the command line.

A group of options is a pydantic model, so that a value's range stands at the value; cyclopts reads
the options' names off the fields.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import ArgumentCollection, Group, Parameter
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from rich.console import Console

from training.config.encoding_names import python_name
from training.config.files import checked
from training.config.paths import for_shell, shown
from training.config.text import CorpusConfig, ItemKind
from training.errors import ConfigError
from training.loop.workers import ALONE, Workers
from training.terminal import output_console
from training.waiting import SILENT, Waiting

PICTURES = (".png", ".pdf")
MODEL_STORE = Path("model_store")


def _can_be_written(path: Path) -> Path:
    """Told before the work, not after it."""
    folder = path.parent
    if not folder.is_dir():
        where = "is not a folder" if os.path.lexists(folder) else "there is no such folder"
        make = "" if os.path.lexists(folder) else f": mkdir -p {for_shell(str(folder))}"
        raise ValueError(f"{shown(path)} cannot be written, {shown(folder)}: {where}{make}")
    if path.is_dir():
        raise ValueError(f"{shown(path)} is a folder: name a file in it")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise ValueError(f"{shown(path)} cannot be written: no permission")
    return path


def _is_picture(path: Path) -> Path:
    if path.suffix.lower() not in PICTURES:
        raise ValueError(f"{shown(path)!r} does not end in {' or '.join(PICTURES)}")
    return path


Positive = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0, lt=2**63)]
OutputFile = Annotated[Path, AfterValidator(_can_be_written), Parameter(metavar="FILE")]
Picture = Annotated[OutputFile, AfterValidator(_is_picture)]
Flat = Parameter(name="*")
"""A group whose options stand beside the others."""

TextOrConfig = Annotated[
    Path | None,
    Parameter(
        help="what to train on: a text, a folder of texts, or a .toml file that says all",
        metavar="TEXT-OR-CONFIG",
    ),
]
Moment = Literal["best", "last"]
ItemsOption = Literal["lines", "paragraphs", "blank-line", "files"]
Store = Annotated[Path, Parameter(help="the folder that holds published models", metavar="DIR")]
DataFolder = Annotated[
    Path | None,
    Parameter(
        name="--data",
        help="where texts that have a name, like 'tinyshakespeare', are kept once downloaded "
        "(default: $LSTM_TRAIN_DATA or ~/.cache/lstm-train)",
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


Encoding = Annotated[
    Annotated[str, AfterValidator(python_name)] | None,
    Parameter(help="of --text, if it is not UTF-8: windows-1252, gb18030 ...", metavar="NAME"),
]
BadBytes = Annotated[
    Literal["replace", "skip"] | None,
    Parameter(
        help="bytes of --text that are no character become U+FFFD or are left out, and are counted "
        "(default: they are refused)"
    ),
]


class Process(Options):
    """The process that does it: its threads, and who works beside it."""

    threads: Annotated[
        Positive | None,
        Parameter(help="how many cores to use (default: torch decides)", metavar="N"),
    ] = None
    workers: Annotated[Workers, Parameter(parse=False)] = ALONE
    console: Annotated[Console, Parameter(parse=False)] = Field(default_factory=output_console)

    @property
    def waiting(self) -> Waiting:
        """Shows how far work is, on the console."""
        return Waiting(self.console) if self.workers.is_first else SILENT

    def say(self, line: str) -> None:
        """Print a line as it is: no markup in it, and no break."""
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

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
            help="the text, or a folder of texts; with a config: instead of the one that it names;"
            " - is standard input",
            metavar="PATH",
            allow_leading_hyphen=True,
        ),
    ] = None
    encoding: Encoding = None
    errors: BadBytes = None
    name: Annotated[
        str | None,
        Parameter(
            help="what the model is called (default: as the config says, or after the text's file)",
            metavar="NAME",
        ),
    ] = None
    items: Annotated[
        ItemsOption | None,
        Parameter(
            help="the text is a collection of many: each line, each part between blank lines "
            "(paragraphs is the same), or each file of a folder is one; the model learns where "
            "they begin and end"
        ),
    ] = None
    format: Annotated[
        Literal["text", "jsonl", "csv", "wet"] | None,
        Parameter(help="instead of corpus.format: what the text is written in"),
    ] = None
    text_field: Annotated[
        str | None,
        Parameter(help="instead of corpus.text_field: of JSON or of a table", metavar="NAME"),
    ] = None
    glob: Annotated[
        tuple[str, ...] | None,
        Parameter(
            help="instead of corpus.glob: which files of a folder, like '**/*.py'; may be repeated",
            metavar="PATTERN",
        ),
    ] = None
    held_out_by: Annotated[
        Literal["end", "files", "items"] | None,
        Parameter(help="instead of corpus.held_out_by: what is not trained on"),
    ] = None
    data: DataFolder = None

    @property
    def corpus_options(self) -> dict[str, object]:
        """Fields of the section `corpus` that the command line gives."""
        fields = ("encoding", "errors", "format", "text_field", "glob", "held_out_by")
        given = {name: getattr(self, name) for name in fields if name in self.named}
        return given if self.items is None else given | {"items": self.item_kind}

    @property
    def item_kind(self) -> ItemKind | None:
        """`items` in the words of a config."""
        return "paragraphs" if self.items == "blank-line" else self.items


class RunCheckpoint(Options):
    """A checkpoint of a run."""

    run_dir: Annotated[Path, Parameter(help="the training's folder, like runs/mine", metavar="DIR")]
    checkpoint: Annotated[
        Moment,
        Parameter(help="the moment when it knew the held-out text best, or the last one"),
    ] = "best"


def _one_of_both(arguments: ArgumentCollection) -> None:
    if sum(bool(argument.tokens) for argument in arguments) != 1:
        raise ValueError("either --run-dir or --model is needed, and not both")


_WHICH = Group("Of what (one of both)", validator=_one_of_both, sort_key=0)


class CheckpointOrModel(Options):
    """A checkpoint of a run, or a model of the store."""

    run_dir: Annotated[
        Path | None,
        Parameter(help="a training's folder, like runs/mine", metavar="DIR", group=_WHICH),
    ] = None
    model: Annotated[
        str | None,
        Parameter(
            help="a published model: mine is its newest version, mine@1 the first",
            metavar="NAME[@N]",
            group=_WHICH,
        ),
    ] = None
    checkpoint: Annotated[
        Moment | None,
        Parameter(
            help="with --run-dir: the moment when it knew the held-out text best, or the last one "
            "(default: best)"
        ),
    ] = None
    store: Annotated[
        Path | None,
        Parameter(
            help="with --model: the folder that holds published models (default: model_store)",
            metavar="DIR",
        ),
    ] = None

    @property
    def required_run_dir(self) -> Path:
        """The run, where no model of the store is meant."""
        if self.run_dir is None:
            raise AssertionError("neither a run nor a model")
        return self.run_dir


def as_told(config: CorpusConfig, options: dict[str, object]) -> CorpusConfig:
    """A corpus with what the command line says of it.

    Raises:
        ConfigError: that does not go with its format.
    """
    if not options:
        return config
    table = config.model_dump(exclude_unset=True) | options
    return checked(CorpusConfig, table, "command line")


def option_name(field: str) -> str:
    """How a field is written on the command line."""
    return f"--{field.replace('_', '-')}"
