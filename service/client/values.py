"""What the server answers, as values. Fields that this version does not know are left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

FinishReason = Literal["length", "stop", "eos", "parked"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A token and its natural log-probability, of the model's own distribution."""

    id: int
    token: str
    logprob: float


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A token of the text, with the best candidates at its place."""

    id: int
    token: str
    logprob: float
    top: tuple[Candidate, ...] = ()


@dataclass(frozen=True, slots=True)
class ChoiceProbability:
    """A choice: the natural log-probability of its tokens, and with what probability it is drawn.

    The former is of the model's own distribution, the latter among the choices, at the temperature.
    """

    choice: str
    logprob: float
    probability: float


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that a request took; `unknown` with `report_unknown` only."""

    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    unknown_tokens: int
    unknown: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Generation:
    """A whole text.

    Attributes:
        text: What was written; the prompt is not part of it.
        finish_reason: `length`, `stop`, `eos`, or `parked`: the server ended, the rest can be asked
            for after its start.
        seed: Gives the same text again.
        logprobs: Of each token, if asked for.
        capsule: The past at the end of the text, if asked for.
        receipt: What the text follows from, if asked for.
        choice_probabilities: Of each of the choices, if asked for.
    """

    id: str
    model: str
    session: str | None
    text: str
    finish_reason: FinishReason
    seed: int
    usage: Usage
    logprobs: tuple[TokenLogprob, ...] | None = None
    capsule: str | None = None
    receipt: Mapping[str, Any] | None = None
    choice_probabilities: tuple[ChoiceProbability, ...] | None = None


@dataclass(frozen=True, slots=True)
class SeveralText:
    """One of several texts.

    Attributes:
        index: Which one.
        num_tokens: Of it.
        seed: Gives this text again, alone.
        mean_logprob: Log-probability per token, where the best were chosen.
    """

    index: int
    text: str
    num_tokens: int
    finish_reason: FinishReason
    seed: int
    mean_logprob: float | None = None
    logprobs: tuple[TokenLogprob, ...] | None = None
    capsule: str | None = None
    receipt: Mapping[str, Any] | None = None
    choice_probabilities: tuple[ChoiceProbability, ...] | None = None


@dataclass(frozen=True, slots=True)
class Several:
    """Texts that go on from one prompt; the usage is of all that were written."""

    id: str
    model: str
    usage: Usage
    texts: tuple[SeveralText, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """A piece of a text; the last one has a `finish_reason`, and what follows it.

    Attributes:
        text: Whole characters that are new.
        num_tokens: Tokens that were written since the event before.
        index: Which one of several texts it is of.
        event_id: Goes on from here as `Last-Event-ID`; the client does so by itself.
    """

    text: str
    num_tokens: int
    logprobs: tuple[TokenLogprob, ...] | None = None
    finish_reason: FinishReason | None = None
    id: str | None = None
    model: str | None = None
    session: str | None = None
    seed: int | None = None
    usage: Usage | None = None
    capsule: str | None = None
    receipt: Mapping[str, Any] | None = None
    choice_probabilities: tuple[ChoiceProbability, ...] | None = None
    index: int | None = None
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A session as the server told of it; times are Unix seconds."""

    id: str
    model: str
    version: int
    num_tokens: int
    num_bytes: int
    seed: int
    created_at: float
    used_at: float
    expires_at: float
    parent: str | None = None
    unknown_tokens: int = 0
    unknown: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn of a session's log; without `prompt` and `text` where the server keeps none."""

    version: int
    at: float
    generation: str
    num_tokens: int
    num_read: int
    num_written: int
    seed: int
    options: Mapping[str, Any]
    finish_reason: str
    prompt: str | None
    text: str | None


@dataclass(frozen=True, slots=True)
class Appended:
    """What a session has read, and how probable it was; log-probabilities are natural."""

    session: SessionInfo
    generation: str
    num_turns: int
    num_tokens: int
    num_scored: int
    num_characters: int
    unknown_tokens: int
    logprob: float
    logprob_per_token: float | None
    surprisal_bits: float
    bits_per_token: float | None
    bits_per_character: float | None
    logprobs: tuple[TokenLogprob, ...] | None = None


@dataclass(frozen=True, slots=True)
class Branch:
    """What a session has after the place where another one parts from it."""

    id: str
    turn: int | None
    num_tokens: int
    text: str


@dataclass(frozen=True, slots=True)
class Diff:
    """Where two sessions part: how many tokens they share, and what follows in each."""

    position: int
    branches: tuple[Branch, ...]


@dataclass(frozen=True, slots=True)
class Model:
    """A model that is served."""

    id: str
    name: str
    version: int
    default: bool
    description: str
    architecture: str
    precision: str
    vocabulary_size: int
    num_parameters: int
    state_bytes: int
    defaults: Mapping[str, Any]
    evaluations: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Models:
    """All models that should be served; of those that cannot be, why; and aliases."""

    models: tuple[Model, ...]
    broken: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EngineReport:
    """What the engine of one model does."""

    alive: bool
    heartbeat_age_s: float
    running: int
    waiting: int
    parked: int
    cached_prompts: int
    cache_bytes: int
    tokens_saved: int


@dataclass(frozen=True, slots=True)
class Health:
    """The state of a server.

    Attributes:
        is_ready: Whether it takes requests.
        status: `ok`, or the code of what is wrong.
        message: What is wrong, for people.
        sessions: Why sessions cannot be read or written now.
    """

    is_ready: bool
    status: str
    models: Mapping[str, EngineReport]
    broken: Mapping[str, str] = field(default_factory=dict)
    sessions: str | None = None
    message: str | None = None
