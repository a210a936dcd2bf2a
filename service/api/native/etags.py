"""Versions of sessions as HTTP has them: `ETag` and `If-Match` (RFC 9110, 8.8.3 and 13.1.1)."""

from __future__ import annotations

import re

from fastapi import Request

from service.inference.errors import InvalidOption
from service.sessions.session import Session

_ETAG = re.compile(r'"(\d{1,18})"')


def etag_of(session: Session) -> dict[str, str]:
    """The header that names a session's version."""
    return {"ETag": f'"{session.version}"'}


def version_wanted(request: Request, session: str | None) -> int | None:
    """The version that the client wants to go on from; None if it does not say.

    Raises:
        InvalidOption: It is not what `ETag` has said, or there is no session.
    """
    given = request.headers.get("if-match")
    if given is None or given.strip() == "*":
        return None
    found = _ETAG.fullmatch(given.strip())
    if found is None or session is None:
        reason = "is for turns of a session" if found else 'must be an ETag of a session, as "3"'
        raise InvalidOption("If-Match", reason)
    return int(found[1])
