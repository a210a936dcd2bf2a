"""Structured logs: one line for each event, as text or as JSON; never any text of a user."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Literal

from service.observability.background import BackgroundHandler

FIELDS = "fields"
"""Name of the `extra` that holds a line's fields: `log.info("request", extra={FIELDS: {...}})`."""


class TextFormatter(logging.Formatter):
    """`2026-01-31T12:00:00Z INFO service.api request status=200 ...`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the traceback if there is one."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        fields = "".join(
            f" {name}={_plain(value)}" for name, value in getattr(record, FIELDS, {}).items()
        )
        line = f"{stamp} {record.levelname} {record.name} {record.getMessage()}{fields}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One JSON object for each line."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, the traceback as a field of it."""
        line = {
            "time": record.created,
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, FIELDS, {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure(format: Literal["text", "json"], level: str) -> None:
    """Send all logs to stderr in the given form, without ever waiting for whoever reads them."""
    handler = BackgroundHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if format == "json" else TextFormatter())
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    # Our own line for each request says more than uvicorn's.
    logging.getLogger("uvicorn.access").disabled = True


def _plain(value: object) -> str:
    text = str(value)
    return json.dumps(text) if not text or any(c.isspace() or c in '"=' for c in text) else text
