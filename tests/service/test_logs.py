import json
import logging
import sys

from service.observability.logs import FIELDS, JsonFormatter, TextFormatter


def _record(**fields):
    record = logging.LogRecord("service.api", logging.INFO, "", 0, "request %d", (1,), None)
    setattr(record, FIELDS, fields)
    return record


def test_a_text_line_has_its_fields():
    """Values with blanks or quotes are quoted, so that a line stays one line."""
    line = TextFormatter().format(_record(status=200, note='a "b"\nc', empty=""))

    assert line.endswith(r' INFO service.api request 1 status=200 note="a \"b\"\nc" empty=""')
    assert "\n" not in line


def test_a_json_line_is_one_object():
    """With the fields beside the message, and the traceback if there is one."""
    record = _record(status=200)
    try:
        raise ValueError("no")
    except ValueError:
        record.exc_info = sys.exc_info()

    line = json.loads(JsonFormatter().format(record))

    assert ("request 1", 200, "INFO") == (line["message"], line["status"], line["level"])
    assert "ValueError: no" in line["exception"]
