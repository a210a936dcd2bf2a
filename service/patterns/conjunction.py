"""Both of two JSON schemas as one, where that can be said plainly.

A text fits `allOf` if it fits each of its parts. An automaton is made from one schema, so the parts
are put together, keyword by keyword, as https://json-schema.org/draft/2020-12/json-schema-validation
has them. What cannot be one schema is refused, with the place where it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from service.patterns.keywords import (
    ALTERNATIVES,
    DEFINITIONS,
    REMARKS,
    Schema,
    SchemaRefused,
    asserts,
    is_same,
)

_AT_LEAST = ("minItems", "minLength", "minProperties")
_AT_MOST = ("maxItems", "maxLength", "maxProperties")
_IS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}
_LENGTHS, _SIZES = ("minLength", "maxLength"), ("minProperties", "maxProperties")
_FORMS = {"properties": "object", "prefixItems": "array"}


def both(one: Schema, other: Schema, place: str) -> dict[str, Any]:
    """What fits `one` and `other`.

    Args:
        one: Without `allOf`, and without `$ref` unless `other` says nothing; its properties come
            first.
        other: Likewise.
        place: Where both stand, as a JSON pointer.

    Raises:
        SchemaRefused: Nothing fits both, or one schema cannot say what does.
    """
    _require_room(one, other, place)
    _require_room(other, one, place)
    result = {**one, **other, **{name: one[name] for name in REMARKS & one.keys()}}
    for name in (one.keys() & other.keys()) - REMARKS:
        result[name] = _rule(name)(one[name], other[name], f"{place}/{name}")
    for least, most in zip(_AT_LEAST, _AT_MOST, strict=True):
        if result.get(least, 0) > result.get(most, float("inf")):
            raise SchemaRefused(place, f"{least} is above {most}")
    return one_form(result, place)


def _require_room(one: Schema, other: Schema, place: str) -> None:
    """`additionalProperties` is about the properties beside it, not about those of another part."""
    if one.get("additionalProperties", True) in (True, {}):
        return
    alien = other.get("properties", {}).keys() - one.get("properties", {}).keys()
    if alien:
        raise SchemaRefused(
            f"{place}/additionalProperties", f"it is said of {min(alien)!r} too, of another part"
        )


def _rule(name: str) -> Callable[[Any, Any, str], Any]:
    if name in _AT_LEAST:
        return lambda one, other, _: max(one, other)
    if name in _AT_MOST:
        return lambda one, other, _: min(one, other)
    return _RULES.get(name, _same)


def _same(one: Any, other: Any, place: str) -> Any:
    if not is_same(one, other):
        raise SchemaRefused(place, "two parts say different things")
    return one


def _types(one: Any, other: Any, place: str) -> Any:
    ones, others = ([each] if isinstance(each, str) else each for each in (one, other))
    found = [each for each in ones if each in others or (each == "integer" and "number" in others)]
    found += [each for each in others if each == "integer" and "number" in ones]
    found = list(dict.fromkeys(found))
    if not found:
        raise SchemaRefused(place, f"nothing is {' or '.join(ones)} and {' or '.join(others)}")
    return found[0] if len(found) == 1 else found


def _properties(one: Schema, other: Schema, place: str) -> dict[str, Any]:
    shared = {
        name: both(one[name], other[name], f"{place}/{name}") for name in one if name in other
    }
    return {**one, **other, **shared}


def _required(one: list[str], other: list[str], _: str) -> list[str]:
    return list(dict.fromkeys([*one, *other]))


def _values(one: list[Any], other: list[Any], place: str) -> list[Any]:
    found = [each for each in one if any(is_same(each, value) for value in other)]
    if not found:
        raise SchemaRefused(place, "no value is in both")
    return found


def _additional(one: Any, other: Any, place: str) -> Any:
    if one is False or other is False:
        return False
    if one is True or other is True:
        return other if one is True else one
    return both(one, other, place)


def _prefixes(one: list[Any], other: list[Any], place: str) -> list[Any]:
    _same(len(one), len(other), place)
    pairs = zip(one, other, strict=True)
    return [both(*pair, f"{place}/{n}") for n, pair in enumerate(pairs)]


_RULES: Mapping[str, Callable[[Any, Any, str], Any]] = {
    "type": _types,
    "properties": _properties,
    "required": _required,
    "enum": _values,
    "additionalProperties": _additional,
    "items": both,
    "prefixItems": _prefixes,
}


def either(own: Schema, name: str, parts: Sequence[dict[str, Any]], place: str) -> dict[str, Any]:
    """What fits `own` and one of `parts`: what `own` says goes into each of them.

    Args:
        own: What stands beside the alternatives.
        name: Their keyword, `anyOf` or `oneOf`.
        parts: The alternatives.
        place: Where it stands.

    Raises:
        SchemaRefused: There are alternatives in `own`, or one of `parts` contradicts it.
    """
    if any(each in own for each in ALTERNATIVES):
        raise SchemaRefused(f"{place}/{name}", "it stands beside other alternatives")
    outside = {key: value for key, value in own.items() if key in REMARKS | DEFINITIONS}
    shared = {key: value for key, value in own.items() if key not in outside}
    if shared:
        places = [f"{place}/{name}/{n}" for n in range(len(parts))]
        pairs = zip(parts, places, strict=True)
        parts = [both(shared, part, where) for part, where in pairs]
    return {**outside, name: list(parts)}


def one_form(schema: dict[str, Any], place: str) -> dict[str, Any]:
    """The schema, with what the library would not look at worked into what it looks at.

    Args:
        schema: Its parts are of one form already.
        place: Where it stands.

    Raises:
        SchemaRefused: It cannot be, or nothing fits.
    """
    for name in ALTERNATIVES:
        if name in schema and asserts(schema, name):
            own = {key: value for key, value in schema.items() if key != name}
            return either(own, name, schema[name], place)
    if "enum" in schema or "const" in schema:
        return _of_values(schema, place)
    if _says(schema, *_LENGTHS) and _says(schema, "pattern", "format"):
        raise SchemaRefused(place, "a length beside a pattern or a format is not supported")
    for name, form in _FORMS.items():
        if name in schema and form not in (schema.get("type", form), *schema.get("type", ())):
            raise SchemaRefused(place, f"{name} beside a type that is not {form} is not supported")
    if "properties" in schema:
        _require_shown(schema, place)
    if "prefixItems" in schema:
        size = len(schema["prefixItems"])
        if not schema.get("minItems", 0) <= size <= schema.get("maxItems", size):
            raise SchemaRefused(place, f"minItems and maxItems must let the {size} items be")
    return schema


def _says(schema: Schema, *names: str) -> bool:
    return not schema.keys().isdisjoint(names)


def _require_shown(schema: Schema, place: str) -> None:
    """Of an object with properties, nothing else may have to be."""
    if _says(schema, *_SIZES, "prefixItems"):
        raise SchemaRefused(place, "a number of properties, or items, beside them is not supported")
    for name in schema.get("required", []):
        if name not in schema["properties"]:
            raise SchemaRefused(f"{place}/required", f"{name!r} is not among the properties")


def _of_values(schema: Schema, place: str) -> dict[str, Any]:
    """The values that fit, as `enum`."""
    if others := sorted(key for key in schema if asserts({key: 0}, "enum", "const", "type")):
        raise SchemaRefused(place, f"{others[0][:64]} beside enum or const is not supported")
    values = schema.get("enum", [schema.get("const")])
    if "const" in schema:
        values = [each for each in values if is_same(each, schema["const"])]
    if "type" in schema:
        types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        values = [each for each in values if any(_is_a(each, name) for name in types)]
    if not values:
        raise SchemaRefused(place, "no value of enum or const fits")
    return {**{key: value for key, value in schema.items() if key != "const"}, "enum": values}


def _is_a(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    is_whole = name == "integer" and isinstance(value, float) and value.is_integer()
    return is_whole or isinstance(value, _IS.get(name, ()))
