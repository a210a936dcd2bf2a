"""What a person may try first with a model."""

from __future__ import annotations

from service.artifacts.manifest import Manifest
from service.artifacts.tokenizer import Tokenizer


def example_prompt(manifest: Manifest, tokenizer: Tokenizer) -> str:
    """The prompt that its training drew samples from, if the model knows every character of it.

    Empty for models of items, whose texts have beginnings of their own.
    """
    sample = manifest.provenance.config.get("sample")
    prompt = sample.get("prompt") if isinstance(sample, dict) else None
    special_ids = manifest.special_ids
    if not isinstance(prompt, str) or special_ids.start_before_prompt:
        return ""
    ids = tokenizer.encode(prompt)
    return prompt if ids and special_ids.unknown not in ids else ""
