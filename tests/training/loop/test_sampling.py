"""Text by a checkpoint in torch."""

from __future__ import annotations

import torch

from tests.training.tiny import TinyRun
from training.config.train import SampleConfig
from training.loop.sampling import sample_text


def test_same_seed_same_text(tiny_run: TinyRun) -> None:
    """And another seed another; the prompt comes first, the length is what was asked for."""
    model, tokenizer = tiny_run.model, tiny_run.checkpoint.identity.tokenizer
    sample = SampleConfig(prompt="The ", num_tokens=40)
    texts = [sample_text(model, tokenizer, sample, seed) for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]
    assert all(text.startswith("The ") and len(text) == 44 for text in texts)


def test_unknown_is_never_drawn(tiny_run: TinyRun) -> None:
    """Even if the model wants nothing else."""
    model, tokenizer = tiny_run.model, tiny_run.checkpoint.identity.tokenizer
    with torch.no_grad():
        model.get_parameter("output.bias")[tokenizer.special_ids.unknown] = 100.0
    text = sample_text(model, tokenizer, SampleConfig(num_tokens=50), seed=1)
    assert len(text) == 50


def test_low_temperature_takes_the_best(tiny_run: TinyRun) -> None:
    """Near 0 every seed says the same."""
    model, tokenizer = tiny_run.model, tiny_run.checkpoint.identity.tokenizer
    sample = SampleConfig(prompt="The", num_tokens=20, temperature=1e-4)
    assert len({sample_text(model, tokenizer, sample, seed) for seed in range(3)}) == 1


def test_training_goes_on_unchanged(tiny_run: TinyRun) -> None:
    """Mode, random numbers and oneDNN are as before."""
    model = tiny_run.model.train()
    before = torch.get_rng_state()
    enabled = torch.backends.mkldnn.enabled
    sample_text(model, tiny_run.checkpoint.identity.tokenizer, SampleConfig(num_tokens=3), seed=1)
    assert model.training
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.backends.mkldnn.enabled == enabled
