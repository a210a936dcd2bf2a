import json

import pytest
from pydantic import ValidationError

from service.artifacts.cleaning import Cleaning
from service.artifacts.manifest import MANIFEST_FILE, Manifest
from tests import tiny_model


@pytest.fixture
def fields(tmp_path):
    """The tiny model's manifest, to be broken."""
    return json.loads((tiny_model.publish(tmp_path) / MANIFEST_FILE).read_text(encoding="utf-8"))


def test_a_manifest_is_read_as_it_was_written(fields):
    """Nothing is lost or added on the way through JSON."""
    manifest = Manifest.model_validate(fields)

    assert manifest == Manifest.model_validate_json(manifest.model_dump_json())
    assert 2 * tiny_model.WIDTH == manifest.state_width


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"surprise": 1}, "surprise"),
        ({"schema_version": 2}, "schema_version"),
        ({"name": "../up"}, "name"),
        ({"version": 0}, "version"),
        ({"state": []}, "state"),
        ({"state": [{"name": "h", "width": 1}] * 2}, "same name"),
        ({"model_file": "absent.onnx"}, "model_file 'absent.onnx' has no entry"),
        ({"tokenizer_file": "absent.json"}, "tokenizer_file 'absent.json' has no entry"),
        ({"special_ids": {"start": 10_000}}, "start=10000 is outside"),
        ({"special_ids": {"start": 0, "end": 10_000}}, "end=10000 is outside"),
        ({"special_ids": {"start": 0, "unknown": 10_000}}, "unknown=10000 is outside"),
        ({"defaults": {"temperature": -1}}, "temperature"),
        ({"cleaning": {"line_ends": "\r\n"}}, "cleaning.line_ends"),
        ({"cleaning": {"unicode": "NFD"}}, "cleaning.unicode"),
        ({"cleaning": {"upper_case": True}}, "cleaning.upper_case"),
    ],
)
def test_a_broken_manifest_is_refused_by_name(fields, change, reason):
    """The error says which field, and why."""
    with pytest.raises(ValidationError, match=reason):
        Manifest.model_validate(fields | change)


def test_a_manifest_of_before_says_in_its_provenance_what_was_done(fields):
    """The part of its own came later; what is in neither is what was always done."""
    del fields["cleaning"]
    assert Cleaning() == Manifest.model_validate(fields).cleaning

    fields["provenance"]["config"] = {"cleaning": {"unicode": "NFC", "lowercase": True}}
    read = Manifest.model_validate_json(json.dumps(fields), strict=True)
    assert Cleaning(unicode="NFC", lower_case=True) == read.cleaning
    assert read == Manifest.model_validate_json(read.model_dump_json(), strict=True)

    del fields["provenance"]["seed"]
    with pytest.raises(ValidationError) as caught:
        Manifest.model_validate(fields)
    assert ("provenance", "seed") == caught.value.errors()[0]["loc"]


@pytest.mark.parametrize("name", ["../up", "a/b", "/root", "..", ".hidden", "a\\b", "", "a\n"])
def test_a_file_stays_in_the_folder(fields, name):
    """Only plain names are files of an artefact."""
    fields["files"][name] = fields["files"]["model.onnx"]
    with pytest.raises(ValidationError, match="is not a plain name"):
        Manifest.model_validate(fields)


def test_the_manifest_does_not_list_itself(fields):
    """No file can hold its own checksum."""
    fields["files"][MANIFEST_FILE] = fields["files"]["model.onnx"]
    with pytest.raises(ValidationError, match="manifest itself"):
        Manifest.model_validate(fields)
