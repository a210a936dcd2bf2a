import json
import logging
import sys
import threading
from typing import Any

from service.observability.background import BackgroundHandler
from service.observability.logs import FIELDS, JsonFormatter, TextFormatter
from tests.waiting import wait_for


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


class _Pipe:
    """A stream that takes nothing until somebody reads."""

    def __init__(self):
        self.read = threading.Event()
        self.lines: list[str] = []

    def write(self, text):
        assert self.read.wait(30)
        self.lines.append(text)

    def flush(self):
        """Nothing to do."""


def test_a_log_that_nobody_reads_holds_up_nobody():
    """Lines are dropped and counted; when somebody reads again, the log says how many."""
    pipe: Any = _Pipe()
    handler = BackgroundHandler(pipe, max_lines=3)
    handler.setFormatter(logging.Formatter("%(message)s"))
    for _ in range(50):
        handler.emit(_record())
    pipe.read.set()
    wait_for(lambda: "dropped" in "".join(pipe.lines), "the number of dropped lines")

    lines = "".join(pipe.lines).splitlines()
    assert "request 1" == lines[0]
    [word] = [line.split()[0] for line in lines if "dropped" in line]
    assert 50 == int(word) + len(lines) - 1


def test_a_log_that_cannot_be_written_ends_nothing():
    """A closed stream, and then the next line."""

    class Closed(_Pipe):
        def write(self, text):
            self.lines.append(text)
            if len(self.lines) == 1:
                raise ValueError("I/O operation on closed file")

    closed: Any = Closed()
    handler = BackgroundHandler(closed)
    for _ in range(2):
        handler.emit(_record())
        handler.flush()

    assert 2 == len(closed.lines)
