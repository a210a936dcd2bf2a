"""POST /inspect and /inspect/units."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import numpy as np
import onnx
import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.artifacts.activations import ACTIVATIONS_FILE
from service.settings import Settings
from tests.tiny_model import WIDTH, publish, step_graph

TEXT = "Sing, O Muse!\nO Muse,\nSING"
TABLE = '{"schema_version": 1, "gates": {"f": "f_open", "candidate": "candidate"}}'


def _with_a_gate_of_one_number() -> bytes:
    """A step graph in which `f_open` is not the value of any unit."""
    model = onnx.load_model_from_string(step_graph())
    for node in model.graph.node:
        node.input[:] = ["f_of_units" if name == "f_open" else name for name in node.input]
        node.output[:] = ["f_of_units" if name == "f_open" else name for name in node.output]
    model.graph.node.append(onnx.helper.make_node("Size", ["token"], ["f_open"]))
    return model.SerializeToString()


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Models that name their gates: `tiny`, and `items`, whose texts begin with a sign."""
    store = tmp_path_factory.mktemp("told")
    publish(store, documents={ACTIVATIONS_FILE: TABLE})
    publish(store, "items", start_before_prompt=True, documents={ACTIVATIONS_FILE: TABLE})
    publish(store, "bent", documents={ACTIVATIONS_FILE: TABLE}, graph=_with_a_gate_of_one_number())
    publish(store, "wrong", documents={ACTIVATIONS_FILE: TABLE.replace("f_open", "nowhere")})
    settings = Settings(
        model_store=store,
        default_model="tiny",
        max_rows=4,
        max_inspect_tokens=200,
        max_inspect_values=2000,
    )
    with TestClient(create_app(settings)) as client:
        yield client


def look(client: TestClient, **fields: object) -> dict:
    """The answer."""
    answer = client.post("/inspect", json={"text": TEXT, **fields})
    assert 200 == answer.status_code, answer.text
    return answer.json()


def ranked(client: TestClient, **fields: object) -> dict:
    """The units."""
    answer = client.post("/inspect/units", json={"text": TEXT, **fields})
    assert 200 == answer.status_code, answer.text
    return answer.json()


@pytest.mark.parametrize("model", ["tiny", "items"])
def test_tokens_are_as_probable_as_to_the_engine(told: TestClient, model: str):
    """Bit for bit what /score says, which the engine reads in a batch."""
    asked = {"model": model, "logprobs": 2}
    [scored] = told.post("/score", json={"texts": [TEXT], **asked}).json()["scores"]
    tokens = look(told, **asked)["tokens"]

    assert scored["tokens"] == [
        {name: value for name, value in token.items() if name not in ("start", "end")}
        for token in tokens
    ]
    assert [(n, n + 1) for n in range(len(TEXT))] == [(t["start"], t["end"]) for t in tokens]
    assert (tokens[0]["logprob"] is None) == (model == "tiny")


def test_units_are_told_token_by_token(told: TestClient):
    """Those that are asked for, in that order; in numbers and in bytes the same."""
    wanted = [{"name": "c", "units": [3, 1]}, {"name": "f"}]
    in_numbers = look(told, activations=wanted)["activations"]
    in_bytes = look(told, activations=wanted, encoding="float16")["activations"]

    assert [("c", [3, 1]), ("f", list(range(WIDTH)))] == [
        (each["name"], each["units"]) for each in in_numbers
    ]
    for numbers, packed in zip(in_numbers, in_bytes, strict=True):
        shape = len(TEXT), len(packed["units"])
        content = base64.b64decode(packed["base64"], validate=True)
        assert packed["values"] is numbers["base64"] is None
        unpacked = np.frombuffer(content, "<f2").reshape(shape)
        np.testing.assert_allclose(unpacked, numbers["values"], atol=2e-3)
    [c, f] = (np.array(each["values"]) for each in in_numbers)
    assert ((f > 0) & (f < 1)).all()
    assert (np.abs(c) > 1e-3).any()


def test_it_is_told_what_there_is(told: TestClient):
    """The size of each activation: what may be asked for next, of gates and of the state."""
    available = look(told)["available"]

    assert {"f", "c", "h"} <= set(available)
    assert {WIDTH} == set(available.values())


def test_a_text_of_items_tells_nothing_of_the_sign_before_it(told: TestClient):
    """A row for each of its own tokens, which come after the sign."""
    wanted = [{"name": "c", "units": [0]}]
    item = look(told, model="items", activations=wanted)["activations"][0]["values"]
    plain = look(told, activations=wanted)["activations"][0]["values"]

    assert len(TEXT) == len(item) == len(plain)
    assert item != plain


def test_a_model_without_a_table_tells_its_state(client: TestClient):
    """Models from before it are looked into as well."""
    found = look(client, activations=[{"name": "h", "units": [0]}])
    assert len(TEXT) == len(found["activations"][0]["values"])
    refused = client.post("/inspect", json={"text": "a", "activations": [{"name": "f"}]})
    assert 422 == refused.status_code
    assert "it has h, c" in refused.json()["error"]["message"]


def test_units_are_ranked_by_what_they_tell(told: TestClient):
    """By numpy's correlation of all values; spans mark what a rule does."""
    found = ranked(told, detector="capitals", activations=["c"], top=WIDTH)
    values = look(told, activations=[{"name": "c"}])["activations"][0]["values"]
    marks = [sign.isupper() for sign in TEXT]
    wanted = {n: np.corrcoef(column, marks)[0, 1] for n, column in enumerate(zip(*values))}  # noqa: B905
    scores = [abs(unit["score"]) for unit in found["units"]]

    assert sorted(scores, reverse=True) == scores
    for unit in found["units"]:
        assert pytest.approx(wanted[unit["unit"]], abs=1e-4) == unit["score"]
        inside = np.mean([row[unit["unit"]] for row, m in zip(values, marks, strict=True) if m])
        assert pytest.approx(inside, abs=1e-4) == unit["mean_inside"]
    spans = [[n, n + 1] for n, is_marked in enumerate(marks) if is_marked]
    assert found == ranked(told, spans=spans, activations=["c"], top=WIDTH)
    assert (sum(marks), len(TEXT)) == (found["num_marked"], found["num_tokens"])


def test_mutual_information_and_columns(told: TestClient):
    """The other score, over all activations; what counts has no inside."""
    found = ranked(told, detector="line_start", score="mutual_information", top=3)
    assert 3 == len(found["units"])
    assert 0 < found["units"][0]["score"] < 1
    columns = ranked(told, detector="column", top=1)
    assert (None, None) == tuple(columns["units"][0][f"mean_{s}"] for s in ("inside", "outside"))


@pytest.mark.parametrize(
    ("path", "fields", "param", "words"),
    [
        ("", {"text": ""}, "text", "at least 1"),
        ("", {"text": "a" * 201}, "text", "200 tokens"),
        ("", {"text": "a" * 9999}, "text", "200 tokens"),
        ("", {"activations": [{"name": "g"}]}, "activations", "f, candidate, h, c"),
        ("", {"activations": [{"name": "c", "units": [16]}]}, "activations", "0 to 15"),
        ("", {"activations": [{"name": "c", "units": [-1]}]}, "activations", "0 to 15"),
        ("", {"activations": [{"name": "c"}, {"name": "c"}]}, "activations", "twice"),
        (
            "",
            {"text": "a" * 150, "activations": [{"name": "c"}]},
            "activations",
            "2400 values",
        ),
        ("", {"encoding": "float8"}, "encoding", "float16"),
        ("", {"timeout_s": 1e9}, "timeout_s", "at most"),
        ("/units", {}, "detector", "either"),
        ("/units", {"detector": "quotes", "spans": [[0, 1]]}, "detector", "either"),
        ("/units", {"detector": "quotes"}, "detector", "none of the text"),
        ("/units", {"spans": [[0, 26]]}, "spans", "all of the text"),
        ("/units", {"spans": [[3, 3]]}, "spans", "no part"),
        ("/units", {"spans": [[0, 27]]}, "spans", "no part"),
        ("/units", {"spans": [[0]]}, "spans", "at least 2"),
        ("/units", {"text": "a\r\nB", "spans": [[0, 1]]}, "spans", "cleaned"),
        ("/units", {"detector": "rhymes"}, "detector", "quotes"),
        ("/units", {"detector": "column", "score": "mutual_information"}, "score", "correlation"),
        ("/units", {"detector": "capitals", "activations": ["g"]}, "activations", "no 'g'"),
    ],
)
def test_refusals(told: TestClient, path: str, fields: dict, param: str, words: str):
    """By field, in words."""
    answer = told.post(f"/inspect{path}", json={"text": TEXT, **fields})
    error = answer.json()["error"]

    assert (422, param) == (answer.status_code, error["param"])
    assert words in error["message"]


def test_a_wrong_table_is_a_fault_of_the_inside_only(told: TestClient):
    """The model writes; a look into it says what is wrong."""
    assert 200 == told.post("/generate", json={"model": "wrong", "max_tokens": 2}).status_code
    answer = told.post("/inspect", json={"model": "wrong", "text": "a"})
    assert (503, "model_broken") == (answer.status_code, answer.json()["error"]["code"])
    assert ACTIVATIONS_FILE in answer.json()["error"]["message"]


def test_so_is_a_gate_that_no_unit_has(told: TestClient):
    """What onnxruntime or numpy says of it is no internal error of the server."""
    assert 200 == told.post("/generate", json={"model": "bent", "max_tokens": 2}).status_code
    answer = told.post("/inspect", json={"model": "bent", "text": "a"})
    assert (503, "model_broken") == (answer.status_code, answer.json()["error"]["code"])
