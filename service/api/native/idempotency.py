"""`Idempotency-Key`: a turn that a client asks for twice is written once.

After https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/.
"""

from __future__ import annotations

import hashlib
import re

from fastapi import Request

from service.api.native.schemas import Body
from service.inference.errors import InvalidOption
from service.sessions.session import Idempotency

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_HOW_IT_IS_SENT = {"stream", "stream_every", "timeout_s"}
"""Fields that say nothing of the text."""


def idempotency_of(request: Request, body: Body) -> Idempotency | None:
    """How the client names this turn; None if it does not.

    Raises:
        InvalidOption: The key is none.
    """
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise InvalidOption(
            "Idempotency-Key", "Idempotency-Key must be 1 to 255 visible characters"
        )
    asked = body.model_dump_json(exclude=_HOW_IT_IS_SENT, exclude_unset=True)
    return Idempotency(key, hashlib.sha256(asked.encode()).digest())
