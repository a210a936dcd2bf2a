"""A text written again from its receipt, without a server, and compared with what that says."""

from __future__ import annotations

import numpy as np

from service.inference.receipts import Receipt, digest_of
from service.inference.text import TextAssembler
from service.inference.turn import counted_as_generated
from service.models.checked import CheckedModel
from service.rows.arrays import Int64
from service.rows.row import Row
from service.runtime.decoder import SAMPLED, Burst, BurstResult, Decoder
from service.runtime.sampling import Sampling

_MOST_STEPS = 32
_EXCERPT = 20


class Differs(ValueError):
    """Something is not as the receipt says; the message names what differs first, and where."""


def write_again(receipt: Receipt, model: CheckedModel, decoder: Decoder, past: Row | None) -> None:
    """Write the text of a receipt and compare it: text, end, tokens, and the state after it.

    Args:
        receipt: Of a text of the model.
        model: That wrote it.
        decoder: Of the model; its slot 0 is used.
        past: The row that it goes on from; None: the start.

    Raises:
        Differs: The text does not follow from the receipt.
    """
    fingerprint = model.artifact.manifest.fingerprint
    _compare("start", digest_of(past, fingerprint), receipt.start)
    _compare("num_tokens_before", past.num_tokens if past else 0, receipt.num_tokens_before)
    for name, id_T in (("prompt", receipt.prompt_T), ("completion", receipt.completion_T)):
        if (place := np.flatnonzero(id_T >= decoder.row_shape.vocabulary_size)).size:
            raise Differs(f"{name}: the model has no token {id_T[place[0]]}, at place {place[0]}")
    sampling = Sampling(seed=receipt.seed, **dict(receipt.options))
    begin = past or Row.start(decoder.row_shape)
    text = _Text(receipt, model)

    decoder.load(0, begin, sampling)
    _read(decoder, receipt.prompt_T)
    reason = _write(decoder, text, receipt.max_tokens)
    text.compare_end()
    _compare("finish_reason", reason, receipt.finish_reason)
    shown_T = text.shown_T(reason)
    _compare_ids(shown_T, receipt.completion_T)
    row = decoder.save(0)
    if reason == "stop":  # it has gone beyond what was shown
        decoder.load(0, begin, sampling)
        _read(decoder, np.concatenate([receipt.prompt_T, shown_T]))
        row = counted_as_generated(decoder.save(0), past, shown_T)
    _compare("end", digest_of(row, fingerprint), receipt.end)


class _Text:
    """What has been written, compared with the receipt's text as it comes."""

    def __init__(self, receipt: Receipt, model: CheckedModel) -> None:
        self._tokenizer = model.tokenizer
        self._assembler = TextAssembler(model.tokenizer.incremental(), receipt.stop)
        self._wanted = receipt.text
        self._ids: list[int] = []
        self._num_shown = 0

    def push(self, token_id: int) -> bool:
        """One more token; returns whether a stop string is complete."""
        self._ids.append(token_id)
        piece = self._assembler.push([token_id])
        self._show(piece.text)
        return piece.stopped

    def finish(self) -> bool:
        """No more tokens; returns whether a stop string is complete only now."""
        piece = self._assembler.finish()
        self._show(piece.text)
        return piece.stopped

    def compare_end(self) -> None:
        """Raise Differs if the receipt's text goes on."""
        if self._num_shown < len(self._wanted):
            rest = self._wanted[self._num_shown :][:_EXCERPT]
            raise Differs(
                f"text differs at character {self._num_shown}: the model writes nothing more, "
                f"the receipt says {rest!r}"
            )

    def shown_T(self, reason: str) -> Int64:  # noqa: N802
        """Ids of exactly what was shown."""
        if reason != "stop":
            return np.array(self._ids, np.int64)
        shown = self._ids[: self._assembler.num_released]
        if self._assembler.cut_inside_token:
            shown += self._tokenizer.encode(self._assembler.cut_inside_token)
        return np.array(shown, np.int64)

    def _show(self, text: str) -> None:
        wanted = self._wanted[self._num_shown : self._num_shown + len(text)]
        if text != wanted:
            same = zip(text, wanted, strict=False)
            n = next((n for n, (a, b) in enumerate(same) if a != b), len(wanted))
            place = self._num_shown + n
            said = self._wanted[place : place + _EXCERPT]
            raise Differs(
                f"text differs at character {place}: with this seed and these options the model "
                f"writes {text[n : n + _EXCERPT]!r}, the receipt says {said!r}"
            )
        self._num_shown += len(text)


def _write(decoder: Decoder, text: _Text, max_tokens: int) -> str:
    """Write to the end; returns why it ended."""
    num_left, ended = max_tokens, False
    while num_left and not ended:
        forced_K = np.full(min(num_left, _MOST_STEPS), SAMPLED, np.int64)
        result = _burst(decoder, forced_K)
        num_steps, ended = int(result.num_steps_B[0]), bool(result.ended_B[0])
        for token_id in result.token_KB[:num_steps, 0].tolist():
            if text.push(token_id):
                return "stop"
        num_left -= num_steps
    if text.finish():
        return "stop"
    return "eos" if ended else "length"


def _read(decoder: Decoder, id_T: Int64) -> None:
    for start in range(0, len(id_T), _MOST_STEPS):
        _burst(decoder, id_T[start : start + _MOST_STEPS])


def _burst(decoder: Decoder, forced_K: Int64) -> BurstResult:
    num_steps_B = np.array([len(forced_K)])
    burst = Burst(np.zeros(1, np.int64), forced_K[:, None], num_steps_B, np.array([True]))
    result = decoder.burst(burst)
    if not result.finite_B[0]:
        raise Differs("the model gives numbers that are not finite")
    return result


def _compare(name: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise Differs(f"{name} differs: it is {found}, the receipt says {wanted}")


def _compare_ids(found_T: Int64, wanted_T: Int64) -> None:
    length = min(len(found_T), len(wanted_T))
    differing = np.flatnonzero(found_T[:length] != wanted_T[:length])
    if differing.size:
        n = int(differing[0])
        raise Differs(
            f"completion differs at token {n}: the model writes {found_T[n]}, "
            f"the receipt says {wanted_T[n]}"
        )
    _compare("completion: number of tokens", len(found_T), len(wanted_T))
