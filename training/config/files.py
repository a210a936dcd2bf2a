"""Configs from TOML files, manifests and the command line; whatever is wrong has a name."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from service.artifacts.errors import ArtifactError
from service.artifacts.manifest import MANIFEST_FILE
from service.artifacts.store import read_manifest
from training.config.advice import problems_in_words
from training.config.nearby import instead_of_file
from training.config.paths import path_of, path_text
from training.config.train import TrainConfig
from training.errors import ConfigError

Checked = TypeVar("Checked", bound=BaseModel)


def load_config(path: Path) -> TrainConfig:
    """Read and check a TOML config, or the config that is in the manifest of a published model.

    Raises:
        ConfigError: the file cannot be read, is not TOML, or a field is wrong; the message
            names the file and the field.
    """
    is_manifest = path.name == MANIFEST_FILE
    config = parse_config(
        _manifest_table(path) if is_manifest else read_toml(path), source=str(path)
    )
    return config.model_copy(
        update={
            name: section.model_copy(
                update={"path": path_text((path.parent / path_of(section.path)).resolve())}
            )
            for name, section in (("corpus", config.corpus), ("vectors", config.vectors))
            if section is not None and section.path is not None
        }
    )


def read_toml(path: Path) -> dict[str, Any]:
    """The table of a file.

    Raises:
        ConfigError: it cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        hint = f"; {instead_of_file(path, '.toml')}" if isinstance(error, FileNotFoundError) else ""
        raise ConfigError(f"cannot read config {path}: {error.strerror}{hint}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} is not a TOML file: {error}") from error


def _manifest_table(path: Path) -> dict[str, Any]:
    try:
        return dict(read_manifest(path.parent).provenance.config)
    except ArtifactError as error:
        raise ConfigError(str(error)) from error


def parse_config(table: object, *, source: str) -> TrainConfig:
    """Check a parsed table; `source` (a file, or "command line") begins the error message.

    Raises:
        ConfigError: a field is missing, unknown or wrong.
    """
    return checked(TrainConfig, table, source)


def checked(kind: type[Checked], table: object, source: str) -> Checked:
    """The table as a model; see `parse_config`."""
    try:
        return kind.model_validate(table)
    except ValidationError as error:
        problems = "".join(f"\n  {problem}" for problem in problems_in_words(error, kind))
        raise ConfigError(f"{source}: wrong config{problems}") from error


def with_overrides(config: TrainConfig, **overrides: object) -> TrainConfig:
    """Replace fields by what the command line gives (those that are not None), checked again.

    Args:
        config: What is overridden.
        overrides: By field name: `name`, or a field of `training` or `corpus`.

    Raises:
        ConfigError: a value is out of range; the message names the field.
    """
    table = config.model_dump(exclude_unset=True)
    for field, value in overrides.items():
        if value is not None:
            section = _OVERRIDABLE[field]
            place = table if section is None else table.setdefault(section, {})
            place[field] = value
    return parse_config(table, source="command line")


_OVERRIDABLE = {
    "name": None,
    "epochs": "training",
    "seed": "training",
    "precision": "training",
    "items": "corpus",
}
"""Field -> section of the few that the command line can change."""
