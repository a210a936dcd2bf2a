"""Schemas in which several things are said of one value, made to say one."""

from __future__ import annotations

import enum
import json
import random
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from service.patterns import compiling
from service.patterns.compiling import BARRED, COMPLETE, Refused, compiled
from service.patterns.keywords import REMARKS, SchemaRefused
from service.patterns.schemas import plain_schema

jsonschema = pytest.importorskip("jsonschema", reason="needs the extra [dev]")

CHARACTERS = [chr(n) for n in range(0x20, 0x7F)]


class Rank(enum.StrEnum):
    """Of a person."""

    king = "king"
    fool = "fool"


class Person(BaseModel):
    """Somebody."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=4)
    rank: Rank = Rank.fool


class Speech(BaseModel):
    """What somebody says."""

    kind: Literal["speech"]
    by: Person = Field(description="Who speaks.")


class Exit(BaseModel):
    """Somebody leaves."""

    kind: Literal["exit"]
    whole: bool


class Scene(BaseModel):
    """Models in models, in lists, and as alternatives."""

    first: Annotated[Speech | Exit, Field(discriminator="kind")]
    others: list[Person] = Field(min_length=1, max_length=2)
    owner: Person | None = None
    place: tuple[bool, Literal["Rome", "Athens"]]


def _drawn(schema: str, seed: int) -> Any:
    """A text that the automaton of a schema lets be, drawn evenly, as the value that it is."""
    question = {"kind": "json_schema", "pattern": schema, "end": None, "max_cells": 1 << 20}
    answer = compiled({**question, "first": CHARACTERS, "rest": CHARACTERS})
    drawn, state, text = random.Random(seed), 0, ""
    while state != COMPLETE:
        row = [answer["next"][state][c] for c in answer["classes"]]
        token = drawn.choice([t for t, after in enumerate(row) if after != BARRED])
        text += CHARACTERS[token]
        state = row[token]
    return json.loads(text)


@pytest.mark.parametrize("seed", range(4))
def test_models_of_pydantic(seed: int):
    """References with remarks beside them, alternatives with a discriminator, tuples."""
    schema = Scene.model_json_schema()

    Scene.model_validate(_drawn(plain_schema(json.dumps(schema)), seed))


def test_a_reference_as_older_versions_of_pydantic_write_it():
    """`allOf` of one reference, since a remark could not stand beside it."""
    schema = Scene.model_json_schema()
    by = schema["$defs"]["Speech"]["properties"]["by"]
    by["allOf"] = [{"$ref": by.pop("$ref")}]

    plain = json.loads(plain_schema(json.dumps(schema)))

    said = {"$ref": "#/$defs/Person", "description": "Who speaks."}
    assert said == plain["$defs"]["Speech"]["properties"]["by"]


def test_parts_are_put_together():
    """As OpenAPI documents derive one schema from another."""
    schema = {
        "$defs": {
            "Base": {
                "type": "object",
                "properties": {"id": {"type": "number"}, "tag": {"$ref": "#/$defs/Tag"}},
                "required": ["id"],
            },
            "Tag": {"type": "string", "maxLength": 9, "description": "A tag."},
        },
        "title": "Derived",
        "allOf": [{"$ref": "#/$defs/Base"}],
        "properties": {
            "id": {"type": ["integer", "null"]},
            "tag": {"minLength": 2, "maxLength": 3},
            "ok": {"type": "boolean"},
        },
        "required": ["ok", "id"],
    }
    plain = json.loads(plain_schema(json.dumps(schema)))

    tag = {"type": "string", "minLength": 2, "maxLength": 3, "description": "A tag."}
    assert {"id": {"type": "integer"}, "tag": tag, "ok": {"type": "boolean"}} == plain["properties"]
    assert (["id", "ok"], "object") == (plain["required"], plain["type"])
    assert ["id", "tag", "ok"] == list(plain["properties"])
    jsonschema.validate(_drawn(json.dumps(plain), 1), schema)


def test_what_stands_beside_alternatives_goes_into_each():
    """The library would not look at it."""
    schema = {
        "type": "object",
        "properties": {"a": {"type": "boolean"}, "b": {"type": "null"}},
        "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
    }
    plain = plain_schema(json.dumps(schema))
    found = [_drawn(plain, seed) for seed in range(30)]

    assert {(), ("a",), ("b",), ("a", "b")} - {tuple(each) for each in found} == {()}


_LEAF = st.sampled_from(
    [
        {"type": "boolean"},
        {"type": ["boolean", "null"]},
        {"enum": ["a", "b", True, 1]},
        {"const": "a"},
        {"type": "string", "maxLength": 3},
        {"type": "string", "minLength": 1, "maxLength": 2},
        {"anyOf": [{"type": "null"}, {"const": "b"}]},
        {"$ref": "#/$defs/T"},
        {"type": "array", "items": {"type": "null"}, "minItems": 1, "maxItems": 2},
    ]
)
_OBJECT = st.fixed_dictionaries(
    {
        "type": st.just("object"),
        "properties": st.dictionaries(st.sampled_from("xyz"), _LEAF, min_size=1),
    },
    optional={
        "required": st.lists(st.sampled_from("xyz"), unique=True),
        "additionalProperties": st.sampled_from([True, False]),
    },
)
_SCHEMA = st.recursive(
    _LEAF | _OBJECT,
    lambda inner: st.one_of(
        st.builds(lambda parts: {"allOf": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(
            lambda own, parts: {**own, "anyOf": parts},
            _OBJECT,
            st.lists(inner, min_size=1, max_size=2),
        ),
        st.builds(lambda own: {**own, "$ref": "#/$defs/T"}, _LEAF),
    ),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None)
@given(schema=_SCHEMA, seed=st.integers(0, 99))
def test_texts_fit_all_that_was_said(schema: dict[str, Any], seed: int):
    """By another implementation; what cannot be said plainly is refused."""
    schema = {**schema, "$defs": {"T": {"type": "string", "enum": ["a", "b"]}}}
    try:
        value = _drawn(plain_schema(json.dumps(schema)), seed)
    except (SchemaRefused, Refused):
        return

    jsonschema.Draft202012Validator(schema).validate(value)


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"allOf": [{"type": "string"}, {"type": "integer"}]}, "/type: nothing is string and"),
        (
            {"properties": {"a": {"allOf": [{"const": 1}, {"const": True}]}}},
            "/properties/a/enum: no value is in both",
        ),
        ({"allOf": [{"type": "null", "enum": [1]}]}, "/allOf/0: no value"),
        (
            {
                "allOf": [
                    {"properties": {"a": {}}, "additionalProperties": False},
                    {"properties": {"b": {}}},
                ]
            },
            "/additionalProperties: it is said of 'b' too",
        ),
        ({"allOf": [{"minLength": 3}, {"maxLength": 2, "type": "string"}]}, "minLength is above"),
        ({"allOf": [{"pattern": "a"}, {"pattern": "b"}]}, "/pattern: two parts"),
        ({"type": "string", "pattern": "a", "minLength": 3}, "a length beside a pattern"),
        ({"type": "object", "properties": {"a": {}}, "minProperties": 1}, "beside them is not"),
        ({"properties": {"a": {}}, "required": ["b"]}, "/required: 'b' is not among"),
        ({"anyOf": [{}], "oneOf": [{}]}, "/oneOf: it stands beside other alternatives"),
        ({"allOf": [{"$ref": "#/$defs/no"}, {"type": "null"}]}, "leads nowhere"),
        ({"$ref": "http://x/y", "type": "null"}, "may point into the schema itself"),
        (
            {"properties": {"a": {"allOf": [{"$ref": "#"}, {"title": "a", "type": "object"}]}}},
            "itself",
        ),
        ({"type": "null", "properties": {}}, "properties beside a type that is not object"),
        ({"allOf": 3}, "/allOf: it must be a list"),
        ({"allOf": [3]}, "/allOf/0: it must be an object"),
        ({"properties": {"a": False}}, "/properties/a: nothing fits false"),
        ({"allOf": [{"required": 3}, {"required": 4}]}, "wrong type"),
        ({"type": "array", "prefixItems": [{}], "minItems": 2}, "must let the 1 items be"),
    ],
)
def test_a_conflict_is_refused_by_its_place(schema: dict[str, Any], told: str):
    """Before the library sees it."""
    with pytest.raises(SchemaRefused) as caught:
        plain_schema(json.dumps(schema))

    assert told in str(caught.value)


@pytest.mark.parametrize("depth", [12, 30])
def test_references_that_grow_are_refused(depth: int):
    """Two to the power of their depth, from some hundred characters."""
    definitions: dict[str, Any] = {
        f"d{n}": {
            "allOf": [
                {"properties": {x: {"$ref": f"#/$defs/d{n + 1}"} for x in "ab"}},
                {"type": "object"},
            ]
        }
        for n in range(depth)
    }
    definitions[f"d{depth}"] = {"type": "null"}

    with pytest.raises(SchemaRefused, match="written out"):
        plain_schema(json.dumps({"$defs": definitions, "$ref": "#/$defs/d0"}))


def test_what_is_nested_too_deep_is_refused():
    """Not the fault of a deeper room."""
    with pytest.raises(SchemaRefused, match="too deep"):
        plain_schema('{"items":' * 700 + "{}" + "}" * 700)


def test_the_program_lets_the_same_remarks_stand():
    """It has a list of its own, since it imports nothing of the service."""
    assert REMARKS == compiling._REMARKS
