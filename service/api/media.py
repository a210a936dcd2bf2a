"""Which bodies are read: JSON that says so, as it is."""

from __future__ import annotations

from fastapi import Request
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

_METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_SHOWN = 40


async def demand_json(request: Request) -> None:
    """A dependency of every route: whoever changes something says that they send JSON.

    Even where no body is needed. The web pages of others cannot: they may send requests of other
    types without asking (https://fetch.spec.whatwg.org/#cors-safelisted-request-header).

    Raises:
        HTTPException: 415.
    """
    given = request.headers.get("content-type", "")
    kind, _, subtype = given.partition(";")[0].strip().lower().partition("/")
    is_json = kind == "application" and (subtype == "json" or subtype.endswith("+json"))
    if request.method in _METHODS_WITH_BODY and not is_json:
        found = f"it is {given[:_SHOWN]!r}" if given else "there is none"
        raise HTTPException(
            415, f"the body must be JSON, and its content type application/json: {found}"
        )


def refuse_compressed(headers: Headers) -> None:
    """Refuse a body that would have to be unpacked, before it is read.

    Raises:
        HTTPException: 415.
    """
    encoding = ", ".join(headers.getlist("content-encoding")).strip()
    if encoding.lower() not in {"", "identity"}:
        raise HTTPException(
            415,
            f"the content encoding {encoding[:_SHOWN]!r} is not known here: send the body as it is",
            {"Accept-Encoding": "identity"},
        )
