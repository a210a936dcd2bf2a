"""Whatever comes in: a 4xx in the one shape that names the field, and the server goes on."""

from __future__ import annotations

import json

import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from service.api.native.generate_schemas import GenerateRequest

JSON = {"content-type": "application/json"}
HUGE = 10**400


def post(client: TestClient, content: bytes, headers: dict[str, str] | None = None):
    """POST /generate with exactly these bytes."""
    return client.post("/generate", content=content, headers=JSON if headers is None else headers)


def assert_refused(response, status: int, param: str | None) -> None:
    """The one shape of an error."""
    assert status == response.status_code, response.text
    error = response.json()["error"]
    assert {"code", "message", "param"} == set(error)
    assert error["code"]
    assert error["message"]
    assert param == error["param"]


NUMBERS = (
    "max_tokens",
    "temperature",
    "top_k",
    "top_p",
    "min_p",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "seed",
    "logprobs",
    "stream_every",
    "timeout_s",
)
WHOLE = {"max_tokens", "top_k", "seed", "logprobs", "stream_every"}


@pytest.mark.parametrize("field", NUMBERS)
@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "-Infinity", "-5", str(HUGE), "true", '"1"', "[1]", "{}", "1e999"]
)
def test_what_is_no_number_in_range(client: TestClient, field: str, value: str):
    """Not a number, infinite, negative, huge, or of another type."""
    if field in ("top_k", "stream_every") and value == str(HUGE):
        pytest.skip("more than there are is all of them")
    response = post(client, f'{{"{field}": {value}}}'.encode())

    assert_refused(response, 422, field)


@pytest.mark.parametrize("field", sorted(WHOLE))
def test_half_a_token(client: TestClient, field: str):
    """Whole numbers are whole."""
    assert_refused(post(client, f'{{"{field}": 1.5}}'.encode()), 422, field)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_tokens", 0),
        ("max_tokens", 16_385),
        ("temperature", 10.001),
        ("top_k", -2),
        ("top_p", 0),
        ("top_p", 1.001),
        ("min_p", 1.001),
        ("repetition_penalty", 0),
        ("presence_penalty", 2.001),
        ("frequency_penalty", -2.001),
        ("seed", 2**63),
        ("logprobs", 11),
        ("stream_every", 0),
        ("timeout_s", 0),
        ("timeout_s", 1e9),
        ("stop", [""]),
        ("stop", ["a"] * 17),
        ("stop", "a" * 65),
        ("stop", ["a", 5]),
        ("stop", {"a": "b"}),
        ("prompt", 5),
        ("prompt", ["a"]),
        ("prompt", "a" * 65_537),
        ("stream", 1),
        ("stream", "yes"),
        ("session", 5),
        ("session", "a" * 129),
        ("model", []),
        ("no_such_field", 1),
    ],
)
def test_what_is_just_outside(client: TestClient, field: str, value: object):
    """Every bound is where it is said to be."""
    assert_refused(client.post("/generate", json={field: value}), 422, field)


@pytest.mark.parametrize(
    "body",
    [
        {"max_tokens": 1, "temperature": 10, "top_p": 1, "min_p": 1, "logprobs": 10},
        {"max_tokens": 1, "temperature": 1e-300, "top_p": 1e-300, "repetition_penalty": 1e-300},
        {"max_tokens": 1, "repetition_penalty": 1e300, "presence_penalty": -2, "seed": 2**63 - 1},
        {"max_tokens": 1, "top_k": 10**18, "min_p": 0, "timeout_s": 300, "stop": ["a" * 64] * 16},
        {"max_tokens": 1, "prompt": "a" * 65_536, "stream_every": 10**9, "stream": True},
        dict.fromkeys(set(GenerateRequest.model_fields)),
    ],
)
def test_what_is_just_inside(client: TestClient, body: dict):
    """Extremes and nulls that are allowed."""
    response = client.post("/generate", json=body)

    assert 200 == response.status_code, response.text


@pytest.mark.parametrize("field", ["prompt", "stop", "session", "model"])
@pytest.mark.parametrize("half", ["\\ud800", "a\\udfff", "\\udc00\\ud800"])
def test_half_a_character(client: TestClient, field: str, half: str):
    """A lone surrogate has no encoding."""
    assert_refused(post(client, f'{{"{field}": "{half}"}}'.encode()), 422, field)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 422),
        (b"null", 422),
        (b"[]", 422),
        (b'"text"', 422),
        (b"{", 400),
        (b'{"prompt": "\xff"}', 400),
        (b"\x1f\x8b\x08\x00", 400),
        (b'{"seed": 1' + b"0" * 5000 + b"}", 400),
        (b"[" * 100_000, 400),
        (b'{"prompt":' * 10_000 + b"1" + b"}" * 10_000, 400),
    ],
)
def test_what_is_no_request(client: TestClient, content: bytes, status: int):
    """Not JSON, not an object, too deep, a number too long, not UTF-8, compressed."""
    assert_refused(post(client, content), status, None)


@pytest.mark.parametrize(
    "headers", [{}, {"content-type": "text/plain"}, {"content-type": "multipart/form-data"}]
)
def test_what_does_not_say_that_it_is_json(client: TestClient, headers: dict[str, str]):
    """It is told what to say."""
    assert_refused(post(client, b'{"max_tokens": 1}', headers), 415, None)


def test_a_field_that_comes_twice(client: TestClient):
    """The last one counts, as everywhere in Python."""
    response = post(client, b'{"max_tokens": 9, "max_tokens": 2}')

    assert 2 == response.json()["usage"]["completion_tokens"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/generate", 405),
        ("POST", "/nothing", 404),
        ("GET", "/models/none", 404),
        ("GET", "/sessions/none", 404),
        ("DELETE", "/sessions/none", 404),
        ("GET", "/sessions/%00%ff", 404),
        ("PUT", "/health/live", 405),
    ],
)
def test_other_errors_have_the_same_shape(client: TestClient, method: str, path: str, status: int):
    """Also those that the framework makes."""
    response = client.request(method, path)

    assert status == response.status_code
    assert {"code", "message", "param"} == set(response.json()["error"])


def test_names_that_are_not_served(client: TestClient):
    """The model's error names what there is."""
    response = client.post("/generate", json={"model": "nope"})

    assert_refused(response, 404, "model")
    assert "tiny@1" in response.json()["error"]["message"]
    assert_refused(client.post("/generate", json={"session": "nope"}), 404, "session")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@settings(max_examples=200, deadline=None)
@given(body=st.dictionaries(st.sampled_from(sorted(GenerateRequest.model_fields)), VALUES))
def test_no_body_is_an_internal_error(client: TestClient, body: dict):
    """Whatever JSON comes, the answer is a text or says what is wrong."""
    content = json.dumps(body | {"max_tokens": body.get("max_tokens", 1)}).encode()
    response = post(client, content)

    # A tiny `timeout_s`, and capsules without a key.
    assert response.status_code < 500 or response.status_code in (501, 504)
    if response.status_code >= 400:
        assert response.json()["error"]["message"]


def test_the_server_works_after_all_that(client: TestClient):
    """Nothing was left behind."""
    ready = client.get("/health/ready").json()

    assert 200 == client.post("/generate", json={"max_tokens": 5}).status_code
    assert {"running": 0, "waiting": 0, "parked": 0}.items() <= ready["models"]["tiny@1"].items()


@pytest.mark.parametrize("route", ["/generate", "/sessions", "/sessions/import"])
@pytest.mark.parametrize("name", [b'"\\ud800"', b'"\\udfff' + b"a" * 100 + b'"', b'"\\u0000"'])
def test_a_field_whose_name_is_no_text_is_refused(client: TestClient, route: str, name: bytes):
    """Half of a surrogate pair, or a control character."""
    answer = client.post(route, content=b"{" + name + b":1}", headers=JSON)

    assert (422, "invalid_request") == (answer.status_code, answer.json()["error"]["code"])


@pytest.mark.parametrize(
    ("headers", "content", "status", "word"),
    [
        ({}, b"", 415, "there is none"),
        ({"content-type": "text/plain"}, b"{}", 415, "text/plain"),
        ({"content-type": "application/x-www-form-urlencoded"}, b"a=b", 415, "urlencoded"),
        ({"content-type": "application/json", "content-encoding": "gzip"}, b"x", 415, "gzip"),
        ({"content-type": "application/json"}, b'{"seed": 1,,}', 400, "column 12 (char 11)"),
        ({"content-type": "application/json"}, b'{"prompt": "a\x01"}', 400, "(char 13)"),
        ({"content-type": "application/json"}, b'{"prompt": "\xff"}', 400, "byte 12"),
    ],
)
@pytest.mark.parametrize("route", ["/generate", "/sessions"])
def test_a_body_that_is_not_json_is_refused_and_says_where(
    client: TestClient, route: str, headers: dict, content: bytes, status: int, word: str
):
    """On every route that changes something: pages of other sites cannot say that it is JSON."""
    response = client.post(route, content=content, headers=headers)

    assert (status, True) == (response.status_code, word in response.text), response.text


def test_the_documentation_says_what_is_allowed(client: TestClient):
    """Maxima of this server's settings; a seed's, exactly."""
    fields = client.get("/openapi.json").json()["components"]["schemas"]["GenerateRequest"]
    bounds = {
        name: fields["properties"][name]["anyOf"][0]
        for name in fields["properties"]
        if "anyOf" in fields["properties"][name]
    }

    assert (16_384, 300) == (bounds["max_tokens"]["maximum"], bounds["timeout_s"]["maximum"])
    assert 2**63 - 1 == bounds["seed"]["maximum"]
