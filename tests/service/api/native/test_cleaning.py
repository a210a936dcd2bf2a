"""What a client sends is read as the model's own text was; what the model never saw is told."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.artifacts.cleaning import Cleaning
from service.observability.logs import FIELDS
from service.settings import Settings
from tests.service.api.native.test_generate import events, generate
from tests.tiny_model import publish


@pytest.fixture(scope="module")
def cleaned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A model that was trained on composed small letters."""
    root = tmp_path_factory.mktemp("cleaned")
    publish(root, cleaning=Cleaning(unicode="NFC", lower_case=True))
    with TestClient(create_app(Settings(model_store=root, max_prompt_tokens=3000))) as client:
        yield client


@pytest.mark.parametrize(
    "prompt",
    ["ROMEO:\r\n", "ROMEO:\r", "\ufeffROMEO:\n", "ROMEO:\ufeff\r\n", "RO\ufeffMEO:\r\ufeff\n"],
)
def test_a_prompt_of_another_system_is_the_same_prompt(client: TestClient, prompt: str):
    """Its line ends and marks are no characters; neither in the answer nor in its usage."""
    plain, other = (generate(client, prompt=each, seed=4) for each in ("ROMEO:\n", prompt))

    assert plain["text"] == other["text"]
    assert 7 == other["usage"]["prompt_tokens"]
    assert 0 == other["usage"]["unknown_tokens"]


@pytest.mark.parametrize("length", [10, 2900], ids=["short", "long"])
def test_case_and_form_are_the_models_own(cleaned: TestClient, length: int):
    """Wherever the prompt is read: at once, or off the event loop."""
    prompts = [("roméo " * length)[:length] + "é\n", ("ROME\u0301O " * length)[: length // 6 * 7]]
    prompts[1] = prompts[1] + prompts[0][length // 6 * 6 :].upper().replace("\n", "\r\n")
    answers = [generate(cleaned, prompt=prompt, seed=4) for prompt in prompts]

    assert answers[0]["text"] == answers[1]["text"]
    assert [length + 2] * 2 == [answer["usage"]["prompt_tokens"] for answer in answers]


def test_the_length_of_a_prompt_is_that_of_what_is_read(cleaned: TestClient):
    """2,999 line ends of two characters fit into 3,000 tokens; one token more does not."""
    assert 2_999 == generate(cleaned, prompt="\r\n" * 2_999)["usage"]["prompt_tokens"]
    response = cleaned.post("/generate", json={"prompt": "\r\n" * 3_001})
    assert 422 == response.status_code
    assert "prompt" == response.json()["error"]["param"]


@pytest.mark.parametrize("stream", [False, True])
def test_stop_strings_are_cleaned_too(client: TestClient, stream: bool):
    """They would never match what the model writes."""
    whole = generate(client, prompt="Once\n", seed=5, max_tokens=400)["text"]
    end = whole.index("\n")
    for stop in ("\r\n", ["\r"], "\ufeff\n"):
        options = {"prompt": "Once\n", "seed": 5, "max_tokens": 400, "stop": stop}
        if stream:
            text = "".join(event["text"] for event in events(client, **options))
        else:
            text = generate(client, **options)["text"]
        assert whole[:end] == text


def test_stop_strings_have_the_models_case_and_form(cleaned: TestClient):
    """Here `É` in two characters for the model's `é`."""
    whole = generate(cleaned, prompt="Once\n", seed=5, max_tokens=2000)["text"]
    stopped = generate(cleaned, prompt="Once\n", seed=5, max_tokens=2000, stop="E\u0301")

    assert ("stop", whole[: whole.index("é")]) == (stopped["finish_reason"], stopped["text"])


@pytest.mark.parametrize("stop", ["\ufeff", ["a", "\ufeff\ufeff"]])
def test_a_stop_string_of_which_nothing_is_left_is_refused(client: TestClient, stop: object):
    """By the field's name; and the session that it was for is free."""
    session = client.post("/sessions", json={}).json()["id"]
    response = client.post("/generate", json={"session": session, "stop": stop})

    assert 422 == response.status_code
    assert "stop" == response.json()["error"]["param"]
    assert 200 == client.post("/generate", json={"session": session}).status_code


def test_unknown_characters_are_counted(client: TestClient):
    """In the answer, in the last event, and for a new session; they are named if asked for."""
    prompt = "aΩb🙂Ω \r\n"
    usages = [
        generate(client, prompt=prompt)["usage"],
        events(client, prompt=prompt)[-1]["usage"],
        generate(client, prompt=prompt, report_unknown=True)["usage"],
        events(client, prompt=prompt, report_unknown=True)[-1]["usage"],
        *(client.post("/sessions", json={"prompt": prompt}).json(),),
        *(client.post("/sessions", json={"prompt": prompt, "report_unknown": True}).json(),),
    ]

    assert [3] * 6 == [usage["unknown_tokens"] for usage in usages]
    assert [None, None, ["Ω", "🙂"], ["Ω", "🙂"], None, ["Ω", "🙂"]] == [
        usage.get("unknown") for usage in usages
    ]


def test_nothing_unknown_is_an_empty_list(client: TestClient):
    """For who asked; no more than ten for who sends more."""
    many = {"prompt": "0123456789ΩΔΨΣΩ", "report_unknown": True}
    assert list("0123456789") == generate(client, **many)["usage"]["unknown"]
    assert 15 == generate(client, **many)["usage"]["unknown_tokens"]
    for prompt in ("", "known"):
        body = {"prompt": prompt, "report_unknown": True}
        assert [] == generate(client, **body)["usage"]["unknown"]
        created = client.post("/sessions", json=body).json()
        assert (0, []) == (created["unknown_tokens"], created["unknown"])
    assert "unknown_tokens" not in client.get(f"/sessions/{created['id']}").json()


def test_the_turns_of_a_session_tell_of_their_own_prompts(client: TestClient):
    """Not of what was read before."""
    session = client.post("/sessions", json={"prompt": "ΩΩ"}).json()["id"]
    unknown = [
        generate(client, session=session, prompt=prompt)["usage"]["unknown_tokens"]
        for prompt in ("Ω", "", "a")
    ]
    assert [1, 0, 0] == unknown


@pytest.mark.parametrize("path", ["/generate", "/sessions"])
def test_the_log_has_their_number_if_there_are_any(
    client: TestClient, path: str, caplog: pytest.LogCaptureFixture
):
    """Never the characters."""
    caplog.set_level(logging.INFO)
    answers = [
        client.post(path, json={"prompt": prompt, "report_unknown": True})
        for prompt in ("Ω?Ω", "known")
    ]
    assert all(answer.is_success for answer in answers)
    lines = [getattr(record, FIELDS) for record in caplog.records if hasattr(record, FIELDS)]

    assert [2, None] == [line.get("unknown_tokens") for line in lines]
    assert "Ω" not in caplog.text


def test_a_model_of_before_has_no_part_for_it(tmp_path: Path):
    """And reads line ends as it was trained, without a word in its manifest."""
    manifest = publish(tmp_path) / "manifest.json"
    lines = manifest.read_text(encoding="utf-8").splitlines()
    start = next(n for n, line in enumerate(lines) if '"cleaning"' in line)
    stop = next(n for n in range(start, len(lines)) if lines[n].strip() == "},")
    manifest.write_text("\n".join(lines[:start] + lines[stop + 1 :]), encoding="utf-8")

    with TestClient(create_app(Settings(model_store=tmp_path))) as client:
        texts = {generate(client, prompt=p)["text"] for p in ("a\n", "a\r\n", "\ufeffa\r")}
        assert "\n" == client.get("/models/tiny").json()["cleaning"]["line_ends"]
    assert 1 == len(texts)
