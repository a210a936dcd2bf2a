"""Answers below the application, to what never became a request."""

from __future__ import annotations

import logging

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from service.api.errors import below_application
from service.api.json_bytes import json_bytes
from service.entropy import token_hex
from service.observability.logs import FIELDS

_log = logging.getLogger("service.request")


def refusal(
    status: int, message: str, headers: tuple[bytes, ...], client: tuple[str, int] | None
) -> bytes:
    """The bytes of an answer in the one shape, the last one of its connection; a line says why."""
    body = json_bytes(below_application(status, message).model_dump())
    request_id = "r_" + token_hex(12)
    fields = {"request": request_id, "client": client and client[0], "status": status}
    _log.info("refused", extra={FIELDS: fields | {"reason": message}})
    head = [
        STATUS_LINE[status],
        b"content-type: application/json\r\nconnection: close\r\n",
        b"content-length: %d\r\nx-request-id: %s\r\n" % (len(body), request_id.encode()),
        *headers,
    ]
    return b"".join([*head, b"\r\n", body])
