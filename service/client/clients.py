"""What both kinds of clients share: the calls that belong to no session, and their answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx

from . import calls
from .calls import Call
from .errors import api_error
from .parsing import json_of, parsed
from .values import EngineReport, Health

DEFAULT_URL = "http://127.0.0.1:8000"


def create_session(prompt: str, model: str | None, seed: int | None, report_unknown: bool) -> Call:
    """A new session."""
    fields: dict[str, Any] = {"prompt": prompt, "model": model, "seed": seed}
    if report_unknown:
        fields["report_unknown"] = True
    return calls.post("/sessions", fields)


def import_capsule(capsule: str) -> Call:
    """A session of a capsule."""
    return calls.post("/sessions/import", {"capsule": capsule})


def page_of_sessions(after: str | None) -> Call:
    """Sessions, a page of them."""
    return calls.get("/sessions", after=after)


def model(name: str) -> Call:
    """A manifest."""
    return calls.get(f"/models/{calls.quoted(name)}")


MODELS = calls.get("/models")
READINESS = calls.get("/health/ready")
CAPACITY = calls.get("/capacity")
RELOAD = replace(calls.post("/admin/reload", {}), is_repeatable=True)


def health_of(response: httpx.Response) -> Health:
    """What a probe says, well or not.

    Raises:
        ApiError: It is no answer of a probe.
    """
    found = json_of(response.content)
    if not isinstance(found, dict) or "status" not in found or "models" not in found:
        raise api_error(response.status_code, response.content, response.headers)
    return Health(
        is_ready=response.is_success,
        status=str(found["status"]),
        models={name: parsed(EngineReport, each) for name, each in found["models"].items()},
        broken=found.get("broken") or {},
        sessions=found.get("sessions"),
        message=(found.get("error") or {}).get("message"),
    )
