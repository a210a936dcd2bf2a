"""A chat is written for a model as the chats were that it was trained on."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from service.artifacts.chat import ROLES, ROLES_STOP
from service.artifacts.manifest import Manifest
from service.artifacts.store import ModelStore
from tests.training.tiny import TinyRun
from training.config.train import PublishConfig
from training.corpora.record_texts import text_of
from training.publishing.candidate import Candidate
from training.publishing.publish import publish
from training.runs.metrics import METRICS_FILE, read_history

CHAT = [
    {"role": "system", "content": "Be kind.\nBe short."},
    {"role": "user", "content": "Hello!"},
    {"role": "user", "content": ""},
    {"role": "assistant", "content": "Good day."},
]


def test_the_template_writes_what_the_corpus_wrote():
    """A chat that the corpus ends is one that the template begins."""
    template = PublishConfig(chat_template="roles").chat
    trained_on = text_of({"messages": CHAT}, "messages", "here", Counter())

    assert template is not None
    assert f"{trained_on}\nassistant:" == template.render(CHAT)
    assert (ROLES, ROLES_STOP) == (template.template, template.stop)


@pytest.mark.parametrize(
    "options",
    [{"chat_template": "{% for"}, {"chat_stop": ("\nme:",)}, {"chat_template": ""}],
)
def test_a_config_that_cannot_be_meant_is_refused(options: dict):
    """Before the training."""
    with pytest.raises(ValidationError):
        PublishConfig(**options)


def test_publishing_passes_it_on(tiny_run: TinyRun, tiny_candidate: Candidate, tmp_path: Path):
    """Into the manifest, and no fingerprint changes by it; without one there is none."""
    checkpoint = tiny_run.checkpoint
    settings = PublishConfig(chat_template="{{ messages[0].content }}", chat_stop=("\nme:",))
    config = checkpoint.identity.config.model_copy(update={"publish": settings})
    identity = checkpoint.identity.model_copy(update={"config": config})
    chats = replace(checkpoint, identity=identity)
    history = read_history(tiny_run.folder.path / METRICS_FILE)
    store = ModelStore(tmp_path)
    plain, with_chats = (
        publish(store, version, each, tiny_candidate, history, {}).manifest
        for version, each in enumerate((checkpoint, chats), start=1)
    )

    assert None is plain.chat_template
    assert with_chats.chat_template is not None
    assert ("hi", ("\nme:",)) == (
        with_chats.chat_template.render([{"role": "user", "content": "hi"}]),
        with_chats.chat_template.stop,
    )
    assert plain.fingerprint == with_chats.fingerprint


def test_an_older_manifest_has_none_and_its_own_fingerprint():
    """Of a model that is in the store."""
    path = Path(__file__).parents[3] / "model_store/shakespeare/3/manifest.json"
    manifest = Manifest.model_validate_json(path.read_text(encoding="utf-8"))

    assert None is manifest.chat_template
    assert "chat_template" not in path.read_text(encoding="utf-8")
