"""The limits of a server with default settings, with changes."""

from dataclasses import replace
from typing import Any

from service import limits
from service.engine.limits import EngineLimits
from service.inference.request import RequestLimits
from service.sessions.policy import SessionLimits
from service.settings import Settings


def engine_limits(**changes: Any) -> EngineLimits:
    """Of an engine; events cost nothing, so that bursts are as long as they should be."""
    return replace(limits.engine_limits(Settings()), **{"event_s": 0.0, **changes})


def session_limits(**changes: Any) -> SessionLimits:
    """Of a session store."""
    return replace(limits.session_limits(Settings()), **changes)


def request_limits(**changes: Any) -> RequestLimits:
    """Of a request."""
    return replace(limits.request_limits(Settings()), **changes)
