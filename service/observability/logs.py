"""Structured logs: one line for each event, as text or as JSON; never any text of a user.

Modules log as ever, with `logging`; structlog makes the lines, and puts the id of the request into
each that is written for one (see `request_context`).
"""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Literal

from structlog.contextvars import merge_contextvars
from structlog.processors import JSONRenderer, format_exc_info
from structlog.stdlib import ProcessorFormatter
from structlog.types import EventDict, WrappedLogger

from service.observability.background import BackgroundHandler

FIELDS = "fields"
"""Name of the `extra` that holds a line's fields: `log.info("request", extra={FIELDS: {...}})`."""


class TextFormatter(ProcessorFormatter):
    """`2026-01-31T12:00:00Z INFO service.api request status=200 ...`, and then the traceback."""

    def __init__(self) -> None:
        super().__init__(processors=[merge_contextvars, _line, format_exc_info, _as_text])


class JsonFormatter(ProcessorFormatter):
    """One JSON object for each line, the traceback as a field of it."""

    def __init__(self) -> None:
        super().__init__(processors=[merge_contextvars, _line, format_exc_info, JSONRenderer()])


def configure(format: Literal["text", "json"], level: str) -> None:
    """Send all logs to stderr in the given form, without ever waiting for whoever reads them."""
    handler = BackgroundHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if format == "json" else TextFormatter())
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    # Our own line for each request says more than uvicorn's.
    logging.getLogger("uvicorn.access").disabled = True


def _line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """What a line says, in its order: when, how important, who, what, for which request."""
    record: logging.LogRecord = event.pop("_record")
    del event["_from_structlog"]
    head = {
        "time": record.created,
        "level": record.levelname,
        "logger": record.name,
        "message": event.pop("event"),
    }
    return {**head, **event, **getattr(record, FIELDS, {})}


def _as_text(_logger: WrappedLogger, _method: str, line: EventDict) -> str:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(line.pop("time")))
    head = [stamp, *(line.pop(name) for name in ("level", "logger", "message"))]
    traceback = line.pop("exception", None)
    fields = (f"{name}={_plain(value)}" for name, value in line.items())
    text = " ".join([*head, *fields])
    return f"{text}\n{traceback}" if traceback else text


def _plain(value: object) -> str:
    text = str(value)
    return json.dumps(text) if not text or any(c.isspace() or c in '"=' for c in text) else text
