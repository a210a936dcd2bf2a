"""What a client asks for, and how much of it this server allows."""

from __future__ import annotations

from dataclasses import dataclass

from service.inference.errors import InvalidOption
from service.inference.identity import ANYBODY, Identity
from service.inference.token_options import NO_TOKEN_OPTIONS, TokenOptions
from service.patterns.pattern import Pattern
from service.runtime.clamps import Clamp
from service.runtime.sampling import NO_OPTIONS, SamplingOptions
from service.sessions.session import Idempotency

SEED_BITS = 53
"""Of drawn seeds: what a reader of JSON keeps of a number. Given ones may have 63."""
_CHARACTER_BYTES = 4
_LOGPROB_BYTES = 12  # an id and a number


@dataclass(frozen=True, slots=True)
class TextRequest:
    """A text to write; None takes the session's, the model's, or the server's default.

    Attributes:
        prompt: Text to read first.
        max_tokens: Tokens to write.
        options: How they are drawn.
        seed: What they are drawn with.
        stop: Strings that end the text; they are not part of it. None: none, or those of the turn
            that is written again.
        logprobs: Report each token's log-probability, and this many of the best; None: no.
        stream_every: Most tokens of one delta.
        timeout_s: Time for all of it.
        report_unknown: Tell what of the prompt the model has never seen.
        session: Session to continue.
        session_version: That it must be of.
        idempotency: How the client names the turn.
        model: `name` or `name@version`.
        capsule: Past to go on from, as text; instead of a session.
        return_capsule: The last delta brings the past at the end, as text.
        receipt: The last delta brings what the text follows from.
        is_streamed: Deltas are sent as they come.
        again: Write the session's last turn again: its prompt, and, where nothing else is asked
            for, its options.
        identity: Who asks.
        cache_salt: Its prompt goes on only from prompts with the same one.
        prompt_ids: The prompt's tokens, as the client has them, instead of the text.
        tokens: What is asked of single tokens; not of texts that are recorded.
        pattern: What the text has to match.
        choices: The text is one of these.
        tells_choices: The last delta brings how probable each of them was.
        clamps: Units that are held meanwhile; nor are these.
    """

    prompt: str = ""
    max_tokens: int | None = None
    options: SamplingOptions = NO_OPTIONS
    seed: int | None = None
    stop: tuple[str, ...] | None = None
    logprobs: int | None = None
    stream_every: int | None = None
    timeout_s: float | None = None
    report_unknown: bool = False
    session: str | None = None
    session_version: int | None = None
    idempotency: Idempotency | None = None
    model: str | None = None
    capsule: str | None = None
    return_capsule: bool = False
    receipt: bool = False
    is_streamed: bool = False
    again: bool = False
    identity: Identity = ANYBODY
    cache_salt: str = ""
    prompt_ids: tuple[int, ...] | None = None
    tokens: TokenOptions = NO_TOKEN_OPTIONS
    pattern: Pattern | None = None
    choices: tuple[str, ...] = ()
    tells_choices: bool = False
    clamps: tuple[Clamp, ...] = ()

    @property
    def wants_end(self) -> bool:
        """Whether the row at the end is asked for, whole or by its digest."""
        return self.return_capsule or self.receipt

    def require_recordable(self, *, keeps_texts: bool) -> None:
        """Raise InvalidOption if its answer cannot be kept for who asks again."""
        if self.session is None:
            raise InvalidOption("Idempotency-Key", "Idempotency-Key is for turns of a session")
        unrecorded = {
            "return_capsule": ("capsules", self.return_capsule),
            "receipt": ("receipts", self.receipt),
            "logprobs": ("logprobs", self.logprobs is not None),
            "choice_probabilities": ("probabilities of choices", self.tells_choices),
        }
        for name, (things, is_asked_for) in unrecorded.items():
            if is_asked_for:
                raise InvalidOption(name, f"{things} are not recorded with an Idempotency-Key")
        if not keeps_texts:
            raise InvalidOption("Idempotency-Key", "this server keeps no texts of sessions")

    def require_told_whole(self) -> None:
        """Raise InvalidOption if what would be recorded could not say how it was drawn."""
        if self.session is None and not self.receipt:
            return
        param = "session" if self.session is not None else "receipt"
        without = "for texts without a session or a receipt"
        if self.tokens != NO_TOKEN_OPTIONS:
            raise InvalidOption(
                param,
                "logit_bias, min_tokens, ignore_eos and stop_token_ids are not recorded: "
                f"they are {without}",
            )
        if self.clamps:
            raise InvalidOption(param, f"clamp is not recorded: it is {without}")

    def num_result_bytes(self, max_tokens: int) -> int:
        """Memory that its result may take, if nobody takes any of it before its end."""
        if self.is_streamed:  # what is not read of a stream is bounded by the engine
            return 0
        num_logprobs = 0 if self.logprobs is None else 1 + self.logprobs
        return max_tokens * (_CHARACTER_BYTES + _LOGPROB_BYTES * num_logprobs)


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """What one request may ask of this server; times in seconds.

    `checkpoint_every` is the tokens from one row that a session's turn keeps to the next; 0: none.
    `max_texts` is how many texts one request may have written, `max_clamps` how many units held.
    """

    default_max_tokens: int
    max_tokens: int
    max_prompt_tokens: int
    max_waiting_characters: int
    max_result_bytes: int
    max_timeout_s: float
    keep_session_texts: bool = True
    checkpoint_every: int = 256
    max_texts: int = 16
    max_clamps: int = 0

    def num_tokens(self, asked: int | None) -> int:
        """How many tokens a request may write.

        Raises:
            InvalidOption: It asks for more than it may.
        """
        if asked is None:
            return min(self.default_max_tokens, self.max_tokens)
        if asked > self.max_tokens:
            raise InvalidOption("max_tokens", f"max_tokens must be at most {self.max_tokens} here")
        return asked

    def num_texts(self, n: int, best_of: int | None) -> int:
        """How many texts are written for a request that wants the `n` best of `best_of`.

        Raises:
            InvalidOption: There are more than there may be, or fewer than are wanted.
        """
        for name, number in (("n", n), ("best_of", best_of)):
            if number is not None and number > self.max_texts:
                raise InvalidOption(name, f"{name} must be at most {self.max_texts} here")
        if best_of is None:
            return n
        if best_of < n:
            raise InvalidOption("best_of", f"best_of must be at least n, which is {n}")
        return best_of

    def timeout_s(self, asked_s: float | None) -> float:
        """How much time a request has.

        Raises:
            InvalidOption: It asks for more than it may.
        """
        if asked_s is None:
            return self.max_timeout_s
        if asked_s > self.max_timeout_s:
            raise InvalidOption(
                "timeout_s", f"timeout_s must be at most {self.max_timeout_s:g} here"
            )
        return asked_s
