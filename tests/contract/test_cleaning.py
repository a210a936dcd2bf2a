"""What is done to the text that a model is trained on is done to what it is asked to read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.artifacts.store import ModelStore
from service.runtime.sampling import Sampling
from service.settings import Settings
from training.cli import main
from training.served.step_model import StepModel

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

# As a Windows editor of a Mac's text would save it: decomposed, and with a byte order mark.
TEXT = "\ufeff" + "ROME\u0301O:\r\nLa nuit e\u0301tait belle, le vent dormait.\r\n\r\n" * 400
CONFIG = """
name = "cleaned"
[corpus]
path = "romeo.txt"
[cleaning]
unicode = "NFC"
lowercase = true
[tokenizer]
kind = "{kind}"
[model]
hidden_size = 32
num_layers = 1
embedding_size = 16
[training]
epochs = 3
batch_size = 8
window = 32
learning_rate = 0.01
[publish]
max_perplexity_increase = 0.5
"""


@pytest.fixture(scope="module", params=["character", "word"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a model of such a text."""
    folder = tmp_path_factory.mktemp("cleaned")
    (folder / "romeo.txt").write_text(TEXT, encoding="utf-8", newline="")
    (folder / "cleaned.toml").write_text(CONFIG.format(kind=request.param), encoding="utf-8")
    places = ["--store", str(folder / "store"), "--run-dir", str(folder / "run")]
    assert 0 == main(["run", str(folder / "cleaned.toml"), *places])
    return folder / "store"


@pytest.fixture(scope="module")
def client(store: Path) -> Iterator[TestClient]:
    """The service on that store."""
    with TestClient(create_app(Settings(model_store=store))) as client:
        yield client


def generate(client: TestClient, **body: Any) -> dict[str, Any]:
    """One answer."""
    response = client.post("/generate", json={"max_tokens": 60, "seed": 2, **body})
    assert 200 == response.status_code, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_the_manifest_says_what_was_done(client: TestClient):
    """In a part of its own."""
    assert {
        "line_ends": "\n",
        "byte_order_marks": "removed",
        "unicode": "NFC",
        "lower_case": True,
        "simplified_chinese": False,
    } == client.get("/models/cleaned").json()["cleaning"]


@pytest.mark.parametrize(
    "prompt", ["ROME\u0301O:\r\nLA NUIT", "\ufeffRoméo:\rLa nuit", "roméo:\r\n\ufeffla nuit"]
)
def test_a_prompt_reads_like_its_cleaned_form(client: TestClient, prompt: str):
    """Decomposed, in capitals, with the line ends of another system: nothing of it is unknown."""
    plain = generate(client, prompt="roméo:\nla nuit")
    other = generate(client, prompt=prompt)

    assert plain["text"] == other["text"]
    assert 0 == plain["usage"]["unknown_tokens"] == other["usage"]["unknown_tokens"]
    assert plain["usage"]["prompt_tokens"] == other["usage"]["prompt_tokens"]


def test_a_stop_string_reads_like_its_cleaned_form(client: TestClient):
    """Or it would never be found in what the model writes."""
    whole = generate(client, prompt="roméo:\n", temperature=0, max_tokens=200)["text"]
    assert "é" in whole
    stopped = generate(client, prompt="roméo:\n", temperature=0, max_tokens=200, stop=["E\u0301"])

    assert ("stop", whole[: whole.index("é")]) == (stopped["finish_reason"], stopped["text"])
    assert "\n" in whole
    stopped = generate(client, prompt="roméo:\n", temperature=0, max_tokens=200, stop="\r\n")
    assert whole[: whole.index("\n")] == stopped["text"]


def test_training_writes_on_from_the_same_prompt(client: TestClient, store: Path):
    """`lstm-train sample` of a published model, and the server."""
    model = StepModel.of_artifact(ModelStore(store).verify("cleaned", 1))
    prompt = "ROME\u0301O:\r\n"
    [text] = model.write(prompt, 40, [Sampling(seed=2)])

    assert text.removeprefix(prompt) == generate(client, prompt=prompt, max_tokens=40)["text"]


def test_what_was_never_seen_is_told(client: TestClient):
    """Characters or words, in the form in which they are read."""
    usage = generate(client, prompt="ROMÉO Ω Ω\r\n", report_unknown=True)["usage"]

    assert (2, ["ω"]) == (usage["unknown_tokens"], usage["unknown"])
