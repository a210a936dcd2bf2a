import logging

from fastapi import FastAPI
from fastapi.testclient import TestClient

from service.api.errors import add_error_handlers
from service.api.middleware import RequestLog
from service.observability.logs import FIELDS


def _app():
    app = FastAPI()
    add_error_handlers(app)
    app.add_middleware(RequestLog)

    @app.get("/breaks")
    async def breaks() -> None:
        raise RuntimeError("a secret")

    return app


def test_an_unexpected_error_has_an_id_and_is_logged_once(caplog):
    """In the one shape, without its text; the log has the traceback, and status 500."""
    caplog.set_level(logging.INFO)
    response = TestClient(_app()).get("/breaks", headers={"x-request-id": "mine"})

    assert (500, "mine") == (response.status_code, response.headers["x-request-id"])
    assert "internal_error" == response.json()["error"]["code"]
    assert "secret" not in response.text
    lines = [getattr(record, FIELDS) for record in caplog.records if hasattr(record, FIELDS)]
    assert [("mine", 500)] == [(line["request"], line["status"]) for line in lines]
    assert 1 == sum(record.exc_info is not None for record in caplog.records)
