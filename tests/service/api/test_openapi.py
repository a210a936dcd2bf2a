"""What the OpenAPI document says is what happens, for requests that are made up from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from fastapi.testclient import TestClient
from schemathesis.core.result import Ok

from service.access.keys import entry_of
from service.app import create_app
from service.settings import Settings

_FEW = hypothesis.settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
_KEY = {"authorization": "Bearer key"}


@pytest.fixture(params=["without keys", "with keys"], scope="module")
def served(request: pytest.FixtureRequest, store: Path) -> Iterator[tuple[TestClient, dict]]:
    """The application, and the headers that it wants."""
    settings: dict[str, Any] = {"session_store": "memory://", "max_rows": 8, "max_tokens": 64}
    if request.param == "with keys":
        settings["api_keys"] = entry_of("fuzz", "key", ["admin"])
    with TestClient(create_app(Settings(model_store=store, **settings))) as client:
        yield client, _KEY if "api_keys" in settings else {}


def test_no_made_up_request_has_an_answer_that_is_not_documented(
    served: tuple[TestClient, dict[str, str]],
):
    """Nor fails, beyond what the server says that it does not do (501)."""
    client, key = served
    document = client.get("/openapi.json", headers=key).json()
    statuses: dict[str, set[int]] = {}
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        statuses[operation.label] = _statuses(client, key, operation)

    assert len(statuses) >= 15
    assert any(200 in seen for seen in statuses.values())


def _statuses(client: TestClient, key: dict[str, str], operation: Any) -> set[int]:
    """Those of some requests for an operation, all of which are documented."""
    documented = {int(status) for status in operation.definition.raw["responses"]}
    seen = set()

    @_FEW
    @hypothesis.given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        asked = case.as_transport_kwargs(base_url="http://localhost")
        asked.pop("cookies", None)
        asked["headers"] = dict(asked.get("headers") or {})
        if "x-api-key" not in map(str.lower, asked["headers"]):
            asked["headers"] |= key
        status = client.request(**asked).status_code
        assert status in documented, asked
        assert status < 500 or status in (501, 504), asked
        seen.add(status)

    ask()
    return seen
