"""`Last-Event-ID`: a stream that broke goes on where it was, without a gap and without a repeat.

The text is written again, which gives the same text, and what the client has had of it is left out
(https://html.spec.whatwg.org/multipage/server-sent-events.html#the-last-event-id-header).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace

from fastapi import Request

from service.api.native.schemas import WritingRequest
from service.inference.delta import Delta
from service.inference.errors import InvalidOption
from service.inference.request import TextRequest
from service.models.registry import ServedModel

_ID = re.compile(r"(\d{1,19})-(\d{1,18})-(\d{1,18})-(\d{1,18})-([0-9a-f]{16})")
_HOW_IT_IS_SENT = {"seed", "stream", "stream_every", "timeout_s"}


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a stream was: what a client has of its text.

    Attributes:
        seed: What the text is drawn with.
        num_characters: Of it that were sent.
        num_tokens: Of it that were sent.
        num_figures: Tokens whose log-probabilities were sent.
        digest: Of what was asked for, and of the model that writes it.
    """

    seed: int
    num_characters: int
    num_tokens: int
    num_figures: int
    digest: str


def mark_of(request: Request, body: WritingRequest) -> Mark | None:
    """Where the client wants its stream to go on; None: at the beginning.

    Raises:
        InvalidOption: It is none of our ids, or no stream, or one that cannot be written again.
    """
    found = event_id_of(request, body, _ID)
    if found is None:
        return None
    seed, num_characters, num_tokens, num_figures = map(int, found.groups()[:4])
    return Mark(seed, num_characters, num_tokens, num_figures, digest=found[5])


def event_id_of(
    request: Request, body: WritingRequest, pattern: re.Pattern[str]
) -> re.Match[str] | None:
    """The client's `Last-Event-ID`, whose first group is the seed; None: it has none.

    Raises:
        InvalidOption: It is not of that pattern, or no stream, or one with another seed.
    """
    given = request.headers.get("last-event-id")
    if not given:
        return None
    found = pattern.fullmatch(given)
    if found is None or not body.stream:
        reason = "is for streams: set stream to true" if found else "is no id of an event of ours"
        raise InvalidOption("Last-Event-ID", f"Last-Event-ID {reason}")
    if body.seed not in (None, int(found[1])):
        raise InvalidOption("Last-Event-ID", "Last-Event-ID is of a text with another seed")
    return found


def going_on(asked: TextRequest, mark: Mark) -> TextRequest:
    """What is asked for, to be written again from the beginning.

    Raises:
        InvalidOption: A turn of a session that nobody has named might be written twice.
    """
    if asked.session is not None and asked.idempotency is None:
        raise InvalidOption(
            "Last-Event-ID",
            "Last-Event-ID of a session's turn goes with the Idempotency-Key of that turn",
        )
    return replace(asked, seed=mark.seed)


def digest_of(request: Request, body: WritingRequest, model: ServedModel) -> str:
    """Of what was asked for, and where, and of the model."""
    asked = body.model_dump_json(exclude=_HOW_IT_IS_SENT, exclude_unset=True)
    key = request.headers.get("idempotency-key", "")
    content = f"{request.scope['path']}\n{key}\n{asked}\n".encode() + model.manifest.fingerprint
    return hashlib.sha256(content).hexdigest()[:16]


def require_same(given: str, digest: str) -> None:
    """Raise InvalidOption if the client's mark is of something else than is asked for now."""
    if given != digest:
        raise InvalidOption(
            "Last-Event-ID",
            "Last-Event-ID is of another request, or the model that wrote the text was replaced",
        )


class Progress:
    """How far a stream is: makes the ids of its events.

    Args:
        seed: What the text is drawn with.
        digest: Of what was asked for, and of the model that writes it.
        mark: What the client has had of the text before this stream.

    Attributes:
        goes_on: Whether the next event is there already, or the end of the stream.

    Raises:
        InvalidOption: The client's mark is of another request, or of another model.
    """

    def __init__(self, seed: int, digest: str, mark: Mark | None) -> None:
        if mark is not None:
            require_same(mark.digest, digest)
        self.goes_on = False
        self._seed = seed
        self._digest = digest
        self._mark = mark
        self._num_characters = 0
        self._num_tokens = 0
        self._num_figures = 0

    @property
    def id(self) -> str:
        """Of the event that ends here: opaque to clients."""
        return f"{self._seed}-{self.part}-{self._digest}"

    @property
    def part(self) -> str:
        """What the id says of how far it is."""
        return f"{self._num_characters}-{self._num_tokens}-{self._num_figures}"

    def unseen(self, delta: Delta) -> Delta | None:
        """Go on behind a delta; returns what the client does not have of it, None if nothing."""
        rest = delta if self._mark is None else self._rest(delta, self._mark)
        self._num_characters += len(delta.text)
        self._num_tokens += delta.num_tokens
        self.goes_on = delta.is_followed or delta.finish_reason is not None
        if delta.figures is not None:
            self._num_figures += len(delta.figures)
        return rest

    def _rest(self, delta: Delta, mark: Mark) -> Delta | None:
        text = delta.text[max(0, mark.num_characters - self._num_characters) :]
        num_tokens = delta.num_tokens - max(0, mark.num_tokens - self._num_tokens)
        figures = delta.figures
        if figures is not None:
            figures = figures.cut(max(0, mark.num_figures - self._num_figures))
        is_new = text or num_tokens > 0 or figures or delta.finish_reason
        if not is_new:
            return None
        return replace(delta, text=text, num_tokens=max(0, num_tokens), figures=figures)
