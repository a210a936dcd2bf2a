"""JSON schemas as the library that makes expressions of them reads them: each says one thing.

The library looks at the first keyword that it finds of `properties`, `anyOf`, `oneOf`,
`prefixItems`, `enum`, `const`, `$ref` and `type`, and at little beside it. So `allOf`, and what
stands beside a `$ref` or beside alternatives, is put into one schema first (`conjunction.both`):
models of pydantic and OpenAPI documents are full of it. The names are those of
https://json-schema.org/draft/2020-12/json-schema-core.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from service.patterns.conjunction import both, either, one_form
from service.patterns.keywords import ALTERNATIVES, DEFINITIONS, SchemaRefused, asserts

MOST_SCHEMA = 1 << 16
"""Characters of a schema whose references are written out, as JSON."""

_MOST_PARTS = 4096
"""Schemas that are looked at, each as often as something refers to it."""

_Within = tuple[str, ...] | None
"""The references that are being written out; None where they may stay."""


def plain_schema(content: str) -> str:
    """The same schema, in which no keyword is out of the library's sight.

    Args:
        content: JSON.

    Raises:
        SchemaRefused: It contradicts itself, cannot be one schema, is nested too deep, or is too
            large with its references written out.
    """
    document = json.loads(content)
    try:
        plain = _Document(document).plain(document, "", None)
        return "".join(_no_longer_than(MOST_SCHEMA, _ENCODER.iterencode(plain)))
    except RecursionError as error:
        raise SchemaRefused("", "it is nested too deep") from error
    except TypeError as error:
        raise SchemaRefused("", "the value of a keyword has the wrong type") from error


_ENCODER = json.JSONEncoder(separators=(",", ":"))


def _no_longer_than(most: int, pieces: Iterable[str]) -> list[str]:
    kept, size = [], 0
    for piece in pieces:
        kept.append(piece)
        size += len(piece)
        if size > most:
            raise SchemaRefused("", f"it has more than {most} characters, written out")
    return kept


class _Document:
    """A schema, and what it refers to in itself."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._num_parts = 0

    def plain(self, schema: Any, place: str, within: _Within) -> dict[str, Any]:
        """A schema without `allOf`, in which nothing stands beside a reference or alternatives.

        Args:
            schema: What is said at `place`.
            place: A JSON pointer.
            within: As above.
        """
        self._num_parts += 1
        if self._num_parts > _MOST_PARTS:
            raise SchemaRefused("", f"it has more than {_MOST_PARTS} parts, written out")
        if isinstance(schema, bool):
            return _of_boolean(schema, place)
        said = dict(_mapping(schema, place))
        parts = _list(said.pop("allOf", []), f"{place}/allOf")
        reference = {"$ref": said.pop("$ref")} if "$ref" in said else {}
        stays = within is None and not parts and not asserts(said) and _is_definition(reference)
        if reference and not stays:
            parts = [*parts, reference]
        alternatives = {name: said.pop(name) for name in ALTERNATIVES if name in said}
        if len(parts) + len(alternatives) + asserts(said) > 1:
            within = within or ()  # what is put together has to be there
        result = {name: self._inner(name, said[name], f"{place}/{name}", within) for name in said}
        for part in self._parts(parts, f"{place}/allOf", within)[::-1]:
            result = both(part, result, place)
        for name, value in alternatives.items():
            result = either(result, name, self._parts(value, f"{place}/{name}", within), place)
        # The library follows what stays, into itself three levels deep.
        return {**result, **reference} if stays else one_form(result, place)

    def _parts(self, parts: Any, place: str, within: _Within) -> list[dict[str, Any]]:
        return [
            self._target(part["$ref"], f"{place}/{n}", within)
            if within is not None and isinstance(part, dict) and part.keys() == {"$ref"}
            else self.plain(part, f"{place}/{n}", within)
            for n, part in enumerate(_list(parts, place))
        ]

    def _target(self, pointer: Any, place: str, within: tuple[str, ...]) -> dict[str, Any]:
        """What a reference means, written out."""
        if pointer in within:
            raise SchemaRefused(place, f"{pointer} refers to itself, and so cannot be put together")
        if not isinstance(pointer, str) or not pointer.startswith("#"):
            raise SchemaRefused(place, "$ref may point into the schema itself, as in #/$defs/name")
        found = self._root
        for name in pointer[1:].split("/")[1:]:
            key = name.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, dict) or key not in found:
                raise SchemaRefused(place, f"$ref {pointer} leads nowhere")
            found = found[key]
        if isinstance(found, dict):
            found = {name: value for name, value in found.items() if name not in DEFINITIONS}
        return self.plain(found, pointer[1:], (*within, pointer))

    def _inner(self, name: str, value: Any, place: str, within: _Within) -> Any:
        """The value of a keyword, with the schemas in it made plain."""
        if name in DEFINITIONS:
            within = None
        if name == "properties" or name in DEFINITIONS:
            named = _mapping(value, place).items()
            return {key: self.plain(each, f"{place}/{key}", within) for key, each in named}
        if name == "prefixItems":
            return self._parts(value, place, within)
        if name in {"items", "additionalProperties"} and not isinstance(value, bool):
            return self.plain(value, place, within)
        return value


def _of_boolean(schema: bool, place: str) -> dict[str, Any]:
    if not schema:
        raise SchemaRefused(place, "nothing fits false")
    return {}


def _is_definition(reference: Mapping[str, Any]) -> bool:
    """Whether it points to what is made plain where it stands."""
    pointer = reference.get("$ref")
    head, _, name = str(pointer).rpartition("/")
    return pointer == "#" or (head in {f"#/{each}" for each in DEFINITIONS} and bool(name))


def _mapping(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise SchemaRefused(place, "it must be an object")
    return value


def _list(value: Any, place: str) -> list[Any]:
    if not isinstance(value, list):
        raise SchemaRefused(place, "it must be a list")
    return value
