"""What is wrong with a config, field by field, and what its writer may have meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from training.config.nearby import did_you_mean, nearest

_LONGEST_VALUE = 60
_CONTAINERS = (tuple, list, dict)
_PLACE = tuple[str | int, ...]


def problems_in_words(error: ValidationError, kind: type[BaseModel]) -> list[str]:
    """One line for each problem: `training.epoch: did you mean epochs?`.

    Args:
        error: What pydantic says.
        kind: Of which model.
    """
    return [_in_words(dict(problem), kind) for problem in error.errors(include_url=False)]


def _in_words(problem: Mapping[str, Any], kind: type[BaseModel]) -> str:
    place: _PLACE = problem["loc"]
    where = ".".join(map(str, place)) or "(top)"
    if problem["type"] == "extra_forbidden":
        return f"{where}: {_unknown(place, problem['input'], kind)}"
    message = str(problem["msg"]).removeprefix("Value error, ")
    value = problem["input"]
    if problem["type"] == "literal_error":
        choices = [str(choice) for choice in _choices(place, kind)]
        return f"{where}: {message}, not {_shown(value)}{did_you_mean(str(value), choices)}"
    is_value = isinstance(value, (str, int, float)) and problem["type"] != "value_error"
    return f"{where}: {message}" + (f", not {_shown(value)}" if is_value else "")


def _unknown(place: _PLACE, value: object, kind: type[BaseModel]) -> str:
    """Of a key that no field is called by: another spelling, or another section."""
    *above, key = map(str, place)
    section = next(iter(_models_at(place[:-1], kind)), kind)
    elsewhere = [
        ".".join(path) for path, model in _sections(kind) if path != above and _has(model, key)
    ]
    if [key] in [path for path, _ in _sections(kind)]:
        return f"[{key}] is a section of its own, on a line by itself"
    if _has(kind, key) and above and not isinstance(value, dict):
        return f"belongs to the top of the file, before the first [section]: {key} = ..."
    if elsewhere and not isinstance(value, dict):
        return f"belongs to {_sections_in_words(elsewhere)}"
    if (found := nearest(key, section.model_fields)) is not None:
        return f"did you mean {found}?"
    for path, model in _sections(kind):
        if path != above and (found := nearest(key, model.model_fields)) is not None:
            return f"did you mean {found}, of the section [{'.'.join(path)}]?"
    return f"there is no such key; there are {', '.join(section.model_fields)}"


def _sections_in_words(names: list[str]) -> str:
    sections = " or ".join(f"[{name}]" for name in names)
    return f"the section {sections}" if len(names) == 1 else f"one of the sections {sections}"


def _has(model: type[BaseModel], key: str) -> bool:
    return key in model.model_fields


def _sections(kind: type[BaseModel]) -> Iterator[tuple[list[str], type[BaseModel]]]:
    """The models that are fields of a model, by their names."""
    for name, field in kind.model_fields.items():
        if get_origin(field.annotation) not in _CONTAINERS:
            for model in _models_in(field.annotation):
                yield [name], model


def _models_at(place: _PLACE, kind: type[BaseModel]) -> list[type[BaseModel]]:
    """The models at a place: through sections, and through lists and tables of them.

    A part that is no field is a key of a table, or says which one of several models is meant.
    """
    models = [kind]
    for part in place:
        if isinstance(part, str):
            found = [model.model_fields.get(part) for model in models]
            inside = [model for f in found if f is not None for model in _models_in(f.annotation)]
            named = [model for model in models if model.__name__.lower() == part]
            models = inside or named or models
    return models


def _choices(place: _PLACE, kind: type[BaseModel]) -> list[object]:
    """What a field of choices can be."""
    names = [part for part in place if isinstance(part, str)]
    if not names:
        return []
    fields = [model.model_fields.get(names[-1]) for model in _models_at(tuple(names[:-1]), kind)]
    return [choice for f in fields if f is not None for choice in _leaves(f.annotation)]


def _leaves(annotation: Any) -> Iterator[object]:
    for argument in get_args(annotation):
        yield from [argument] if isinstance(argument, str) else _leaves(argument)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """The models that an annotation names: itself, those of a union, or what a list holds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    origin = get_origin(annotation)
    if origin in (Union, UnionType, Annotated, *_CONTAINERS):
        return [model for part in get_args(annotation) for model in _models_in(part)]
    return []


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
