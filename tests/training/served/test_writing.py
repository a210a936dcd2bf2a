"""Text from a step model: as the server draws it, and as a search finds it."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import onnx
import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.artifacts.store import ModelStore
from service.runtime.sampling import Sampling
from service.settings import Settings
from tests.tiny_model import VOCABULARY_SIZE, publish, step_graph
from tests.training.tiny import TinyRun
from training.config.text import TokenizerConfig
from training.publishing.candidate import step_model
from training.served.beam_search import beam_search
from training.served.step_model import StepModel
from training.served.surprise import surprises
from training.tokenization.build import build_tokenizer


def published(folder: Path, **options: object) -> StepModel:
    """A model of random weights."""
    publish(folder, **options)  # type: ignore[arg-type]
    return StepModel.of_artifact(ModelStore(folder).verify("tiny", 1))


@pytest.mark.parametrize("prompt", ["Once ", ""])
def test_it_writes_what_the_server_writes(tmp_path: Path, prompt: str) -> None:
    """For the same seed and options, each beside the others; the end included."""
    model = published(tmp_path, end="e", start_before_prompt=True)
    samplings = [Sampling(seed=seed, temperature=0.7, top_k=20) for seed in range(8)]
    texts = model.write(prompt, 150, samplings)
    with TestClient(create_app(Settings(model_store=tmp_path))) as client:
        for seed, text in enumerate(texts):
            ask = {"prompt": prompt, "max_tokens": 150, "temperature": 0.7, "top_k": 20}
            answer = client.post("/generate", json=ask | {"seed": seed}).json()
            assert prompt + answer["text"] == text
    assert len({len(text) for text in texts}) > 1


def log_probabilities(logits_BV: np.ndarray, unknown: int) -> np.ndarray:
    """Of all that may be drawn."""
    scores = logits_BV.astype(np.float64)
    scores[:, unknown] = -np.inf
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


def test_a_wide_beam_finds_the_best_text_of_all(tmp_path: Path) -> None:
    """Against every text of two tokens, and the one that ends at once."""
    model = published(tmp_path, end="e")
    special, penalty = model.tokenizer.special_ids, 0.8
    assert special.end is not None
    assert special.unknown is not None
    step = model.step()
    state = step.zero_state(1)
    for token in model.tokenizer.prompt_ids("On"):
        logits, state = step(np.array([token]), state)
    [first_V] = log_probabilities(logits, special.unknown)
    vocabulary = np.arange(step.vocabulary_size)
    repeated = tuple(np.repeat(part, len(vocabulary), axis=0) for part in state)
    second_VV = log_probabilities(step(vocabulary, repeated)[0], special.unknown)
    pair_VV = (first_V[:, None] + second_VV) / ((5 + 2) / 6) ** penalty
    pair_VV[special.end] = -np.inf
    texts = {float(first_V[special.end]): ""}
    for first, second in itertools.product(vocabulary.tolist(), repeat=2):
        ids = [n for n in (first, second) if n != special.end]
        texts[float(pair_VV[first, second])] = model.tokenizer.decode(ids)

    best = beam_search(model, "On", 2, num_beams=5_000, length_penalty=penalty)
    wanted = sorted(texts, reverse=True)[:5]
    assert [text.score for text in best[:5]] == pytest.approx(wanted, rel=1e-6)
    assert [text.text for text in best[:5]] == ["On" + texts[score] for score in wanted]


def test_more_beams_find_no_worse_texts(tiny_run: TinyRun) -> None:
    """One beam is greedy; scores are in order; nothing unknown is written."""
    model = step_model(tiny_run.checkpoint)
    greedy = model.write("The ", 20, [Sampling(seed=0, temperature=0.0)])
    one = beam_search(model, "The ", 20, num_beams=1, length_penalty=0.6)
    assert [found.text for found in one] == greedy
    many = beam_search(model, "The ", 20, num_beams=8, length_penalty=0.6)
    scores = [found.score for found in many]
    assert scores == sorted(scores, reverse=True)
    assert len({found.text for found in many}) == 8
    assert many[0].log_probability >= one[0].log_probability
    assert "<unk>" not in "".join(found.text for found in many)


def test_surprises_are_the_places_of_least_probability(tiny_run: TinyRun) -> None:
    """In order; their mean over all places is the loss."""
    model = step_model(tiny_run.checkpoint)
    text = "The lamp keeps the riverΩ."
    ids = model.tokenizer.encode(text)
    loss, places = surprises(model, ids, num_places=len(text))
    assert loss.num_tokens == len(places) == len(text) - 1
    assert loss.nats == pytest.approx(sum(place.nats for place in places) / len(places))
    assert [place.nats for place in places] == sorted(
        (place.nats for place in places), reverse=True
    )
    [unknown] = [place for place in places if place.position == text.index("Ω")]
    assert (unknown.before, unknown.token) == (text[: text.index("Ω")][-24:], "<unk>")
    assert surprises(model, ids, num_places=3)[1] == places[:3]


def test_surprises_of_items_show_what_came_before_in_the_same_one() -> None:
    """Two names beside each other would read as one."""
    tokenizer = build_tokenizer(TokenizerConfig(), ["ab"], has_items=True)
    graph = onnx.load_from_string(step_graph(vocabulary_size=tokenizer.vocabulary_size))
    model = StepModel("names", graph, ("h", "c"), tokenizer)
    ids = np.concatenate(list(tokenizer.encode_all(["ab", "b"], are_items=True)))
    loss, places = surprises(model, ids, len(ids))
    assert loss.num_tokens == len("ab") + len("b") + 3
    shown = {place.position: (place.before, place.token) for place in places}
    assert [shown[n] for n in sorted(shown)] == [
        ("", "a"),
        ("a", "b"),
        ("ab", "<end>"),
        ("ab", "<start>"),
        ("", "b"),
        ("b", "<end>"),
    ]


def test_no_more_texts_than_there_are(tmp_path: Path) -> None:
    """Of one token there are as many as the vocabulary has; the unknown one is never written."""
    model = published(tmp_path)
    found = beam_search(model, "On", 1, num_beams=2 * VOCABULARY_SIZE, length_penalty=0.6)
    assert len(found) == VOCABULARY_SIZE - 1
    assert all(np.isfinite(text.log_probability) for text in found)
