"""Lines of a request have its id, and a slow one says where its time went."""

import asyncio
import json
import logging

import pytest

from service.observability.current import request_context
from service.observability.logs import FIELDS, JsonFormatter, TextFormatter
from tests.service.observability.scraped import application

SECRET = "Words of a user"


def _record(message="a line"):
    return logging.LogRecord("service.api", logging.WARNING, "", 0, message, None, None)


async def test_each_request_has_its_id_in_its_lines():
    """Of those that are answered at the same time, each its own; what is for none has none."""

    async def lines_of(request_id):
        with request_context(request_id):
            await asyncio.sleep(0)
            text = TextFormatter().format(_record())
            return text, json.loads(JsonFormatter().format(_record()))

    for request_id, (text, line) in zip(
        "ab", await asyncio.gather(lines_of("a"), lines_of("b")), strict=True
    ):
        assert text.endswith(f" WARNING service.api a line request={request_id}")
        assert request_id == line["request"]
    assert "request" not in json.loads(JsonFormatter().format(_record()))


@pytest.fixture
def lines(tmp_path, caplog):
    """What is logged of one request, by message, at a limit for slow ones."""

    def of(slow_s, **body):
        caplog.set_level(logging.INFO)
        folder = tmp_path / str(slow_s)
        with application(folder, session_store="memory://", slow_request_s=slow_s) as client:
            client.post(
                "/generate",
                json={"prompt": SECRET, "max_tokens": 20, **body},
                headers={"x-request-id": "mine"},
            )
        return {
            record.getMessage(): getattr(record, FIELDS)
            for record in caplog.records
            if hasattr(record, FIELDS)
        }

    return of


@pytest.mark.parametrize("stream", [True, False])
def test_a_slow_request_says_where_its_time_went(lines, stream):
    """Beside all that the line of every request says."""
    found = lines(1e-6, stream=stream)

    slow, usual = found["slow request"], found["request"]
    assert usual == {name: slow[name] for name in usual}
    assert {"queue_s", "read_s", "first_event_s", "write_s"} == set(slow) - set(usual)
    assert slow["queue_s"] + slow["read_s"] <= slow["first_event_s"] + 0.001
    assert slow["first_event_s"] <= slow["duration_s"] + 0.001
    assert "mine" == slow["request"]
    assert SECRET not in str(found)


def test_a_request_that_is_not_slow_has_one_line(lines):
    """And none is slow unless a limit is set."""
    assert ["request"] == list(lines(1000))
    assert ["request"] == list(lines(0))


def test_a_slow_request_without_a_text_has_no_parts(lines):
    """What is refused, say."""
    slow = lines(1e-6, max_tokens=-1)["slow request"]

    assert (422, False) == (slow["status"], "queue_s" in slow)
