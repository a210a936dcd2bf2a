"""From JSON to values, by the types of their fields."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Any, ClassVar, Literal, Protocol, TypeVar, Union, get_args, get_origin
from typing import get_type_hints as type_hints

from .errors import UnexpectedAnswer


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


_Value = TypeVar("_Value", bound=_Dataclass)


def parsed(kind: type[_Value], content: bytes | str | object, **more: object) -> _Value:
    """A value of a kind, of JSON or of what JSON was; `more` are fields that come from elsewhere.

    Raises:
        UnexpectedAnswer: It is not of that kind: whoever answers is no lstm-serve.
    """
    given = json_of(content) if isinstance(content, bytes | str) else content
    if not isinstance(given, Mapping):
        raise UnexpectedAnswer(f"the answer is no {kind.__name__}, it is {_shown(given)}")
    value: _Value = _value(kind, {**given, **more}, kind.__name__)
    return value


def json_of(content: bytes | str) -> Any:
    """What JSON says.

    Raises:
        UnexpectedAnswer: It is none.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UnexpectedAnswer(f"the answer is no JSON: {_shown(content)}") from error


@cache
def _fields_of(kind: type[Any]) -> tuple[tuple[str, Any, bool], ...]:
    """Name, type, and whether it must be there."""
    hints = type_hints(kind)
    return tuple(
        (each.name, hints[each.name], each.default is MISSING and each.default_factory is MISSING)
        for each in fields(kind)
    )


def _value(kind: Any, given: Any, where: str) -> Any:
    if is_dataclass(kind):
        return _dataclass(kind, given, where)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if given is None and type(None) in arguments:
            return None
        return _value(next(each for each in arguments if each is not type(None)), given, where)
    if origin is tuple and isinstance(given, list):
        return tuple(_value(arguments[0], each, where) for each in given)
    if origin is Mapping and isinstance(given, Mapping):
        return {str(key): _value(arguments[1], each, where) for key, each in given.items()}
    if kind is float and isinstance(given, int) and not isinstance(given, bool):
        return float(given)
    if origin is Literal and isinstance(given, str):  # a later server may know more of them
        return given
    if kind is Any or (isinstance(kind, type) and type(given) is kind):
        return given
    raise UnexpectedAnswer(f"{where} of the answer is {_shown(given)}")


def _dataclass(kind: Any, given: Any, where: str) -> Any:
    if not isinstance(given, Mapping):
        raise UnexpectedAnswer(f"{where} of the answer is {_shown(given)}")
    found = {}
    for name, hint, is_required in _fields_of(kind):
        if name in given:
            found[name] = _value(hint, given[name], f"{where}.{name}")
        elif is_required:
            raise UnexpectedAnswer(f"{where}.{name} is missing from the answer")
    return kind(**found)


def _shown(given: object) -> str:
    return repr(given)[:200]
