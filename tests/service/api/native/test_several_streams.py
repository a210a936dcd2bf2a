"""Streams of several texts: events of each, going on, failures."""

from __future__ import annotations

import json

import pytest
from fastapi.testclient import TestClient

from service.api.native.schemas import GenerateEvent
from service.engine.errors import NotFinite, TimedOut
from service.inference.running import RunningText
from tests.service.api.native.test_generate import BODY, generate
from tests.service.api.native.test_resuming import figures, stream


def texts_of(found: list[tuple[str, dict]], num_texts: int) -> list[str]:
    """The text of each."""
    texts = [""] * num_texts
    for _, data in found:
        texts[data["index"]] += data["text"]
    return texts


def test_a_stream_has_events_of_all_texts(client: TestClient):
    """Each text has a last event, and the last of all says what all took."""
    whole = generate(client, n=3)
    found = stream(client, BODY | {"n": 3})

    for _, data in found:
        GenerateEvent.model_validate(data)
    assert [text["text"] for text in whole["texts"]] == texts_of(found, 3)
    ends = [data for _, data in found if "finish_reason" in data]
    assert [0, 1, 2] == sorted(data["index"] for data in ends)
    assert [3, 4, 5] == sorted(data["seed"] for data in ends)
    assert 1 == len({data["id"] for data in ends})
    assert [False, False, True] == ["usage" in data for data in ends]
    assert found[-1][1] is ends[-1]
    assert (5, 120) == (
        ends[-1]["usage"]["prompt_tokens"],
        ends[-1]["usage"]["completion_tokens"],
    )


@pytest.mark.parametrize(
    "options", [{"stream_every": 9}, {"stream_every": 9, "logprobs": 1}, {"stop": ["e"]}]
)
def test_a_stream_goes_on_after_any_event(client: TestClient, options: dict):
    """Nothing of any text is missing or twice, whether a seed was given or not."""
    body = {"prompt": "Once ", "max_tokens": 40, "n": 3} | options
    whole = stream(client, body)
    texts = texts_of(whole, 3)
    for n, (place, _) in enumerate(whole[:-1]):
        rest = stream(client, body, Last_Event_ID=place)
        together = [*whole[: n + 1], *rest]
        assert texts == texts_of(together, 3)
        ends = [data["index"] for _, data in together if "finish_reason" in data]
        assert [0, 1, 2] == sorted(ends)
        assert "usage" in rest[-1][1]
        for index in range(3):
            assert figures(_of(whole, index)) == figures(_of(together, index))
    again = stream(client, body, Last_Event_ID=whole[-1][0])
    assert ["", "", ""] == texts_of(again, 3)
    assert [0, 1, 2] == sorted(data["index"] for _, data in again if "finish_reason" in data)


def _of(found: list[tuple[str, dict]], index: int) -> list[tuple[str, dict]]:
    return [each for each in found if each[1]["index"] == index]


@pytest.mark.parametrize(
    ("given", "change", "word"),
    [
        ("nonsense", {}, "no id of an event"),
        ("{}", {"n": 2}, "another request"),
        ("{}", {"n": 1}, "no id of an event"),
        ("{}", {"prompt": "Twice "}, "another request"),
        ("{}", {"seed": 4}, "another seed"),
        ("{}", {"stream": False}, "set stream to true"),
    ],
)
def test_what_is_no_place_of_these_texts_is_refused(
    client: TestClient, given: str, change: dict, word: str
):
    """Before anything is sent."""
    body = BODY | {"n": 3, "stream": True}
    place = stream(client, body)[0][0]
    answer = client.post(
        "/generate", json=body | change, headers={"Last-Event-ID": given.format(place)}
    )

    assert (422, "Last-Event-ID") == (answer.status_code, answer.json()["error"]["param"])
    assert word in answer.json()["error"]["message"]


def _lines(answer_text: str) -> list[tuple[str, dict]]:
    """Names and data of all events."""
    found, name = [], "message"
    for line in answer_text.splitlines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        if line.startswith("data: "):
            found.append((name, json.loads(line.removeprefix("data: "))))
        if not line:
            name = "message"
    return found


def test_a_failure_of_one_text_is_an_event_and_the_others_go_on(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
):
    """A whole answer is an error as a whole."""
    expected = generate(client, n=3)["texts"]
    deltas = RunningText.deltas

    async def fails(self):
        if self.seed == 4:
            raise NotFinite("the model gave no finite numbers here")
        async for delta in deltas(self):
            yield delta

    monkeypatch.setattr(RunningText, "deltas", fails)
    answer = client.post("/generate", json=BODY | {"n": 3, "stream": True})
    whole = client.post("/generate", json=BODY | {"n": 3})

    assert (500, "model_not_finite") == (whole.status_code, whole.json()["error"]["code"])
    found = _lines(answer.text)
    [failure] = [data for name, data in found if name == "error"]
    assert (1, "model_not_finite") == (failure["index"], failure["error"]["code"])
    texts = texts_of([("", data) for name, data in found if name == "message"], 3)
    assert [expected[0]["text"], "", expected[2]["text"]] == texts
    assert "usage" in found[-1][1]


def test_when_all_fail_before_the_first_event_the_status_says_so(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
):
    """Nothing was sent."""

    async def fails(_):
        raise TimedOut("the time for this request is over")
        yield

    monkeypatch.setattr(RunningText, "deltas", fails)
    answer = client.post("/generate", json=BODY | {"n": 3, "stream": True})

    assert (504, "timeout") == (answer.status_code, answer.json()["error"]["code"])
