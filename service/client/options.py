"""What may be asked of a text, by the names that the server has for it (docs/serving.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict


class Clamp(TypedDict):
    """A unit of a state tensor that is held at a value."""

    name: str
    unit: int
    value: float


class SamplingKeywords(TypedDict, total=False):
    """How tokens are drawn; what is left out is as the model has it."""

    temperature: float
    top_k: int
    top_p: float
    min_p: float
    repetition_penalty: float
    presence_penalty: float
    frequency_penalty: float


class WritingKeywords(SamplingKeywords, total=False):
    """How much to write, how, and what to tell of it."""

    max_tokens: int
    stop: str | Sequence[str]
    seed: int
    logprobs: int
    timeout_s: float
    return_capsule: bool
    receipt: bool


class FormKeywords(TypedDict, total=False):
    """What the text has to be: one of these."""

    choices: Sequence[str]
    choice_probabilities: bool
    regex: str
    json_schema: Mapping[str, Any]


class TextKeywords(WritingKeywords, FormKeywords, total=False):
    """For texts that belong to no session."""

    model: str
    capsule: str
    report_unknown: bool
    clamp: Sequence[Clamp]


class TurnKeywords(WritingKeywords, FormKeywords, total=False):
    """For turns of a session."""

    model: str
    report_unknown: bool
