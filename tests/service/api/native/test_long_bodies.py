"""Bodies so long that another parser takes them."""

from __future__ import annotations

import json

import pytest
from fastapi.testclient import TestClient

from tests.service.api.native.test_bad_input import post

_LONG = b" " * 40_000


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        (b'{"stop": 5}', 422, "stop"),
        (b'{"seed": 1,,}', 400, "column 40012 (char 40011)"),
        (b'{"prompt": "a\x01"}', 400, "(char 40013)"),
        (b'{"prompt": "\\ud800"}', 422, "lone surrogate"),
        (b'{"prompt": "\xff"}', 400, "UTF-8"),
        (b'{"seed": 1' + b"0" * 5000 + b"}", 400, ""),
        (b'{"max_tokens": 1}', 200, ""),
    ],
)
def test_a_long_body_is_taken_as_a_short_one(client: TestClient, content, status, message):
    """Whatever is in it."""
    response = post(client, _LONG + content)

    assert status == response.status_code, response.text
    assert message in json.dumps(response.json())
