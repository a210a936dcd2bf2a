"""What client and server must agree on."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from service import client
from service.api import errors
from service.api.native import (
    admin,
    capacity,
    generate_schemas,
    health,
    inspect_schemas,
    models,
    schemas,
    session_schemas,
    several_schemas,
)
from service.client import errors as client_errors
from service.client import inside
from service.client.options import TextKeywords, TurnKeywords, WritingKeywords
from service.client.version import __version__
from service.inference import units
from service.runtime.inside.detectors import DETECTORS
from service.runtime.sampling import SamplingOptions

REPOSITORY = Path(__file__).parents[3]
CODES = {
    *(kind.code for kind in errors.KINDS.values()),
    *errors.HTTP_CODES.values(),
    *errors.BELOW_CODES.values(),
    "invalid_request",
    "internal_error",
} - {"client_closed_request"}  # which nobody sees


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_has_its_class(code: str):
    """None is left to the status."""
    assert code in client_errors.CLASSES


def test_there_is_no_code_that_the_server_does_not_have():
    """A class of nothing would be a lie."""
    assert set(client_errors.CLASSES) <= CODES


def test_the_options_are_those_of_the_server():
    """Of texts, of turns and of turns that are written again."""
    sent_by_itself = {"prompt", "stream", "stream_every", "session", "n", "best_of"}
    asked = set(generate_schemas.GenerateRequest.model_fields) - sent_by_itself

    assert asked == set(TextKeywords.__annotations__)
    assert asked - {"capsule", "clamp"} == set(TurnKeywords.__annotations__)
    again = set(schemas.RegenerateRequest.model_fields) - sent_by_itself
    assert again == set(WritingKeywords.__annotations__)
    assert set(SamplingOptions.model_fields) == set(client.SamplingKeywords.__annotations__)


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        (client.Generation, schemas.GenerateResponse),
        (client.Several, several_schemas.SeveralResponse),
        (client.SeveralText, several_schemas.SeveralText),
        (client.Usage, schemas.Usage),
        (client.TokenLogprob, schemas.TokenLogprob),
        (client.Candidate, schemas.Candidate),
        (client.ChoiceProbability, schemas.ChoiceProbability),
        (client.SessionInfo, session_schemas.CreatedSession),
        (client.Appended, session_schemas.Appended),
        (client.Turn, session_schemas.TurnResponse),
        (client.Diff, session_schemas.Diff),
        (client.Branch, session_schemas.Branch),
        (client.Model, models.ModelSummary),
        (client.Models, models.ModelList),
        (client.EngineReport, health.EngineReport),
        (client.Capacity, capacity.Capacity),
        (client.ModelCapacity, capacity.ModelCapacity),
        (client.Room, capacity.Room),
        (client.Reload, admin.ReloadReport),
        (client.Inspection, inspect_schemas.InspectResponse),
        (client.InspectedToken, inspect_schemas.InspectedToken),
        (client.InspectedActivation, inspect_schemas.InspectedActivation),
        (client.ReactingUnits, inspect_schemas.UnitsResponse),
        (client.ReactingUnit, inspect_schemas.ReactingUnit),
    ],
)
def test_values_have_all_that_the_server_tells(value, schema):
    """By the same names."""
    assert set(schema.model_fields) == {field.name for field in fields(value)}


def test_a_look_inside_is_asked_for_in_the_words_of_the_server():
    """All fields but the encoding, of which the client reads one."""
    asked = inside.inspection("a", {"c": [1]}, "tiny", 1, 2.0).body or {}
    assert set(asked) == set(inspect_schemas.InspectRequest.model_fields) - {"encoding"}
    by_rule = inside.search("a", "quotes", ["c"], "correlation", 1, "tiny", 2.0).body or {}
    by_spans = inside.search("a", [(0, 1)], None, "correlation", 1, None, None).body or {}
    assert set(by_rule) | set(by_spans) == set(inspect_schemas.UnitsRequest.model_fields)
    assert get_args(inside.Detector) == tuple(DETECTORS)
    assert get_args(inside.Score) == get_args(units.ScoreName)


def test_events_have_all_that_the_server_tells():
    """And the id to go on after."""
    told = set(schemas.GenerateEvent.model_fields)
    assert told | {"event_id"} == {field.name for field in fields(client.Event)}


def test_client_and_server_are_of_one_version():
    """They are published together."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    own = tomllib.loads((REPOSITORY / "service/client/pyproject.toml").read_text("utf-8"))

    assert project["version"] == __version__
    assert [dep for dep in project["dependencies"] if dep.startswith("httpx")] == (
        own["project"]["dependencies"]
    )
    assert project["requires-python"] == own["project"]["requires-python"]


def test_everything_that_is_exported_is_there():
    """And the errors all of them."""
    kinds = {name for name, each in vars(client_errors).items() if isinstance(each, type)}
    kinds -= {"Any", "Mapping", "UnexpectedAnswer"}

    assert kinds <= set(client.__all__)
    assert [] == [name for name in client.__all__ if not hasattr(client, name)]
