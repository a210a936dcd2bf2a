"""What an answer says of an error beside its body: when to come back, how to be let in."""

from __future__ import annotations

import math
import random

from service.access.errors import KeyRefused, LimitReached
from service.engine.errors import Draining, Overloaded

_MAX_RETRY_AFTER_S = 60


def headers_of(error: Exception) -> dict[str, str]:
    """Headers of the answer for an exception of the table, beside what its kind says."""
    match error:
        case Overloaded(retry_after_s=seconds):
            # With jitter: clients that were refused together should not come back together.
            seconds = min(seconds, _MAX_RETRY_AFTER_S / 1.5) * random.uniform(1, 1.5)
            return {"Retry-After": _whole(seconds)}
        case LimitReached(retry_after_s=seconds):  # of one name alone, and exact
            return {"Retry-After": _whole(seconds)}
        case Draining():
            return {"Connection": "close"}
        case KeyRefused():
            return {"WWW-Authenticate": "Bearer"}
        case _:
            return {}


def _whole(seconds: float) -> str:
    return str(max(1, math.ceil(seconds)))
