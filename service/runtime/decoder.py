"""The nouns of decoding, and the Protocol between the engine that plans and the runtime that runs.

Shapes: B rows of one burst, K steps of one burst, V vocabulary, W all state tensors side by side.

A row's next token is drawn from `logits_V`, then read: reading a token gives the next state and the
next logits. Reading a prompt is the same with the token given instead of drawn, so that there is
no prefill phase and no decode phase, only rows with forced tokens and rows without.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

SAMPLED = -1
"""In `Burst.forced_KB`: draw this token. In `BurstResult.token_KB`: the row took no part."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How one request draws its tokens; the defaults draw from the model's own distribution.

    Applied in this order: penalties, temperature, top_k, top_p (over what top_k left), min_p.

    Attributes:
        seed: With the position in the text, decides every draw; 0..2^63-1.
        temperature: Divides the logits; 0 takes the most probable token (Ackley et al. 1985).
        top_k: Keep the k most probable; ties go to the lower id (Fan et al. 2018).
        top_p: Keep the fewest that hold this much probability (Holtzman et al. 2020).
        min_p: Keep what has at least this share of the best one's probability (Nguyen et al. 2024).
        repetition_penalty: Divides the positive and multiplies the negative logits of every id that
            the text holds, prompt included (Keskar et al. 2019).
        presence_penalty: Subtracted from the logit of every id that was generated.
        frequency_penalty: Subtracted once for every time that the id was generated.
        num_logprobs: Report the chosen token's log-probability and this many of the best; None: no.
    """

    seed: int
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    num_logprobs: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """The whole past of one text, as a value: what is saved, continued, copied, rewound.

    Attributes:
        state_W: All state tensors, side by side.
        logits_V: Of the next token; undefined before the first (then one must be forced).
        present_V: Which ids the text holds: what the repetition penalty looks at.
        generated_V: How often each id was generated: what the other penalties look at.
        num_tokens: Length of the text in tokens, which is the position of its next one.
    """

    state_W: Float32
    logits_V: Float32
    present_V: Bool
    generated_V: Int32
    num_tokens: int

    @classmethod
    def start(cls, state_width: int, vocabulary_size: int) -> Row:
        """The row of the empty text."""
        return cls(
            state_W=np.zeros(state_width, np.float32),
            logits_V=np.zeros(vocabulary_size, np.float32),
            present_V=np.zeros(vocabulary_size, np.bool_),
            generated_V=np.zeros(vocabulary_size, np.int32),
            num_tokens=0,
        )

    @property
    def num_bytes(self) -> int:
        """Memory of the arrays."""
        arrays = (self.state_W, self.logits_V, self.present_V, self.generated_V)
        return sum(array.nbytes for array in arrays)


@dataclass(frozen=True, slots=True)
class Burst:
    """K steps to run.

    Attributes:
        slot_B: The slots that take part, each once.
        forced_KB: Token to read, or SAMPLED.
        num_steps_B: How many of the K steps each row takes part in, at least one.
        keep_B: Whether a row that stops before the last step is needed afterwards; where it is not,
            the slot may then hold anything. Keeping costs time.
    """

    slot_B: Int64
    forced_KB: Int64
    num_steps_B: Int64
    keep_B: Bool


@dataclass(frozen=True, slots=True)
class Logprobs:
    """Log-probabilities under the model's own distribution: before penalties and temperature.

    Attributes:
        chosen_KB: Of the token that was drawn.
        top_id_KBN: The N most probable ids, best first.
        top_KBN: Their log-probabilities.
    """

    chosen_KB: Float32
    top_id_KBN: Int64
    top_KBN: Float32


@dataclass(frozen=True, slots=True)
class BurstResult:
    """What a burst did.

    Attributes:
        token_KB: The tokens that were read, SAMPLED where a row took no part any more.
        num_steps_B: Steps that each row took: all it was given, or fewer when it drew its end id.
        ended_B: The row drew its end id.
        finite_B: The row's state and logits are numbers; a row that is False here is unusable.
        logprobs: Present when some row of the burst asked for them.
    """

    token_KB: Int64
    num_steps_B: Int64
    ended_B: Bool
    finite_B: Bool
    logprobs: Logprobs | None


class Decoder(Protocol):
    """Owns `capacity` slots for rows of one model and advances them. One thread uses it."""

    capacity: int
    state_width: int
    vocabulary_size: int

    def load(self, slot: int, row: Row, sampling: Sampling) -> None:
        """Copy `row` into `slot`, to be sampled as `sampling` says."""

    def save(self, slot: int) -> Row:
        """A copy of the row in `slot`; the inverse of `load`."""

    def burst(self, burst: Burst) -> BurstResult:
        """Advance the rows of `burst`; all other slots stay as they are."""
