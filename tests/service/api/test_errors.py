from fastapi import FastAPI
from fastapi.testclient import TestClient

from service.api.errors import add_error_handlers
from service.engine.errors import Overloaded


def test_retry_after_keeps_to_its_maximum_and_spreads():
    """However much waits; clients that are refused together do not come back together."""
    app = FastAPI()
    add_error_handlers(app)

    @app.get("/")
    async def refuse() -> None:
        raise Overloaded("full", retry_after_s=1e9)

    client = TestClient(app)
    seconds = {int(client.get("/").headers["retry-after"]) for _ in range(60)}

    assert max(seconds) <= 60
    assert min(seconds) >= 30
    assert len(seconds) > 3
