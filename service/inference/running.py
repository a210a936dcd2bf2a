"""A text that is being written: engine events in, text out, the session committed at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import numpy as np

from service.engine.request import Chunk, Failed, Finished, Request, TokenLogprobs
from service.engine.stream import TokenStream
from service.entropy import token_hex
from service.inference.accounts import Ticket
from service.inference.delta import Delta, FinishReason
from service.inference.figures import TokenFigures
from service.inference.observer import Witness
from service.inference.parts import GROUP_S, Division, line_of
from service.inference.reading import Unknown, read_row
from service.inference.receipts import ReceiptWriter
from service.inference.text import Piece, TextAssembler
from service.inference.trail import Trail
from service.inference.turn import Outcome, Turn, counted_as_generated
from service.inference.turnstile import Turnstile
from service.inference.usage import Usage
from service.models.registry import ServedModel
from service.rows.arrays import Int64
from service.rows.row import Row

_FAILURE_S = 0.0005
"""What it takes of the event loop, about."""


class RunningText:
    """A text that is being written. Read `deltas` to their end, and call `close` in any case.

    Attributes:
        id: For the response and the logs.
        model: What runs it.
        turn: The session's turn, if it continues one.
        prompt_T: Ids that it has read, with what every text begins with.
        text: What makes it of the tokens, and knows what has ended it.
        usage: What it took, up to now.
    """

    def __init__(
        self,
        *,
        model: ServedModel,
        request: Request,
        stream: TokenStream,
        unknown: Unknown,
        assembler: TextAssembler,
        stream_every: int | None,
        turn: Turn | None,
        checkpoint_every: int,
        ticket: Ticket,
        turnstile: Turnstile,
        witness: Witness | None = None,
        seal: Callable[[Row], Awaitable[str]] | None = None,
        receipt: ReceiptWriter | None = None,
    ) -> None:
        self.id = "g_" + token_hex(12)
        self.model, self.turn = model, turn
        self.finish_reason: FinishReason | None = None
        self.prompt_T = request.prompt_T
        self._has_failed = False
        self._request = request
        self._stream = stream
        self._unknown = unknown
        self._stream_every = stream_every
        self._ticket, self._turnstile = ticket, turnstile
        self._witness = witness or Witness(None)
        self._seal, self._receipt = seal, receipt
        self._assembler = self.text = assembler
        self._ids: list[int] = []  # all that were taken, of a text that will go on
        self._num_reported = 0
        self._is_ending = False
        self._parking: asyncio.Task[Delta] | None = None
        self._num_parked: int | None = None  # tokens that stay of a text that was parked
        self._num_top = request.sampling.num_logprobs
        self._figures: TokenFigures | None = None
        if self._num_top is not None:
            self._figures = TokenFigures.none(self._num_top)
        self._division = Division.of(stream_every, with_figures=self._num_top is not None)
        self._trail = Trail(request.past, checkpoint_every)

    @property
    def session_id(self) -> str | None:
        """Of the session that it goes on."""
        return self.turn.session.id if self.turn else None

    @property
    def seed(self) -> int:
        """What the tokens are drawn with."""
        return self._request.sampling.seed

    @property
    def outcome(self) -> str:
        """One word for the log: why it ended."""
        return self.finish_reason or ("failed" if self._has_failed else "left")

    @property
    def usage(self) -> Usage:
        """Tokens read and written up to now."""
        return Usage(
            prompt_tokens=len(self._request.prompt_T),
            cached_tokens=self._stream.num_cached,
            completion_tokens=self._num_parked or self._assembler.num_tokens,
            unknown_tokens=self._unknown.num_tokens,
            unknown=self._unknown.pieces,
        )

    async def deltas(self) -> AsyncIterator[Delta]:
        """The text, piece by piece; a session is committed before the last piece.

        Raises:
            EngineError: It has failed; a session is as it was.
            SessionGone: The session was deleted meanwhile.
        """
        try:
            while self._parking is None and not self._is_ending:
                match await self._stream.next():
                    case _ if self._parking is not None:  # it came too late, whatever it is
                        break
                    case Chunk() as chunk:
                        async for delta in self._deltas_of(chunk):
                            yield delta
                    case Finished(reason, row):
                        yield await self._finish_rest(reason, row)
                    case Failed(error):  # they come in crowds
                        await self._turnstile.enter(_FAILURE_S, self._request.client)
                        raise error
            if self._parking is not None:
                yield await self._parking
        except Exception:
            self._has_failed = True
            raise

    async def _deltas_of(self, chunk: Chunk) -> AsyncIterator[Delta]:
        if chunk.row_before is not None:
            self._trail.add(chunk.row_before)
        for group in self._division.groups(chunk):
            if self._division.most is not None:
                line = line_of(self._request.client, begins=self._num_reported == 0)
                await self._turnstile.enter(GROUP_S, line)
            for num_after, (ids, logprobs) in zip(range(len(group))[::-1], group, strict=True):
                if self._parking is not None:
                    return
                piece = self._take(ids, logprobs)
                if piece.stopped:
                    yield await self._finish(piece, "stop", row=None)
                    return
                if piece.text or self._stream_every:
                    # With `stream_every` there is a delta of each part.
                    is_followed = num_after > 0 and self._stream_every is not None
                    yield self._delta(piece, is_followed=is_followed)

    def park(self) -> asyncio.Task[Delta] | None:
        """End after what was shown, to go on another time, without waiting for a slow reader."""
        is_over = self._is_ending or self._has_failed or self._stream.has_failed
        goes_on = self.turn or self._seal
        if is_over or not goes_on or self._request.automaton:  # half a match is of no use
            return None
        self._stream.park()
        # What is held back will be written again.
        ending = self._finish(self._assembler.push(()), "parked", row=None)
        self._parking = asyncio.ensure_future(ending)
        return self._parking

    async def collect(self) -> Delta:
        """All of it as one delta."""
        deltas = [delta async for delta in self.deltas()]
        figures = [delta.figures for delta in deltas if delta.figures is not None]
        return replace(
            deltas[-1],
            text="".join(delta.text for delta in deltas),
            num_tokens=self._assembler.num_tokens,
            figures=TokenFigures.joined(figures) if figures else None,
        )

    async def close(self) -> None:
        """Free the row, and leave the session as it was unless the turn is complete."""
        self._is_ending = True  # whoever parks texts may still know it
        self._stream.close()
        if self._parking is not None:  # it holds the turn
            await asyncio.wait([self._parking])
        self._ticket.num_tokens = self.usage.num_tokens
        self._ticket.close()
        times = self._stream.timings
        self._witness.ended(self.id, self.model.ref, self.outcome, times, self.usage, self._request)
        if self.turn:
            await self.turn.abandon()

    def _take(self, ids: Int64, logprobs: TokenLogprobs | None) -> Piece:
        num_before = self._assembler.num_tokens
        piece = self._assembler.push(ids.tolist())
        # A stop string ends the text somewhere among these ids; the rest never happened.
        ids = ids[: self._assembler.num_tokens - num_before]
        if self.turn and not piece.stopped:
            self.turn.wrote(piece.text)
        if self._receipt and not piece.stopped:
            self._receipt.wrote(piece.text)
        if self._request.return_row:
            self._ids.extend(ids.tolist())
            self._trail.shown(self._num_shown)
        if logprobs is not None and self._figures is not None and self._num_top is not None:
            new = TokenFigures.of(ids, logprobs, self._num_top)
            self._figures = TokenFigures.joined([self._figures, new])
        return piece

    async def _finish_rest(self, reason: FinishReason, row: Row | None) -> Delta:
        piece = self._assembler.finish()
        if piece.stopped:  # at what is only now no part of a character
            return await self._finish(piece, "stop", row=None)
        return await self._finish(piece, reason, row)

    async def _finish(self, piece: Piece, reason: FinishReason, row: Row | None) -> Delta:
        self._is_ending, capsule, receipt = True, None, None
        if self._request.return_row:
            shown_T = np.array(self._ids, np.int64) if row else self._shown()
            row = row or await self._row_after(shown_T)
            self._num_parked = len(shown_T) if reason == "parked" else None
            if self._seal:  # before the commit: what fails leaves all as it was
                capsule = await self._seal(row)
            if self._receipt and reason != "parked":  # that follows from more than its request
                self._receipt.wrote(piece.text)
                receipt = await self._receipt.at(row, shown_T, reason)
            if self.turn:
                self.turn.wrote(piece.text)
                await self._commit(self.turn, reason, row, shown_T)
        self._stream.close()
        self._ticket.finish()
        self.finish_reason = reason
        return replace(self._delta(piece), capsule=capsule, receipt=receipt)

    def _delta(self, piece: Piece, *, is_followed: bool = False) -> Delta:
        self._witness.delta()
        num_tokens = self._assembler.num_tokens - self._num_reported
        self._num_reported += num_tokens
        figures = None
        if self._figures is not None:
            num_held = self._assembler.num_tokens - piece.num_released
            cut = max(0, len(self._figures) - num_held)
            figures, self._figures = self._figures.cut(0, cut), self._figures.cut(cut)
        return Delta(
            text=piece.text,
            num_tokens=num_tokens,
            figures=figures,
            finish_reason=self.finish_reason,
            usage=self.usage if self.finish_reason else None,
            is_followed=is_followed,
        )

    async def _commit(self, turn: Turn, reason: FinishReason, row: Row, shown_T: Int64) -> None:
        """End a session's turn at `row`, after what was shown."""
        self._trail.shown(self._trail.num_tokens_at(row) - 1)
        await turn.commit(
            Outcome(
                row=self.model.kept(row),
                checkpoints=[self.model.kept(each) for each in self._trail.checkpoints],
                generation=self.id,
                read_T=self._request.prompt_T,
                written_T=shown_T,
                sampling=self._request.sampling,
                max_tokens=self._request.max_tokens,
                usage=self.usage,
                reason=reason,
            )
        )

    def _shown(self) -> Int64:
        """Ids of exactly the text that was shown."""
        shown = self._ids[: self._assembler.num_released]
        if self._assembler.cut_inside_token:
            shown += self.model.tokenizer.encode(self._assembler.cut_inside_token)
        return np.array(shown, np.int64)

    @property
    def _num_shown(self) -> int:
        """Tokens of this text that are shown to their end."""
        return len(self._request.prompt_T) + self._assembler.num_released

    async def _row_after(self, shown_T: Int64) -> Row:
        """The session's row after what was shown.

        The engine has gone beyond the stop string before it was seen. Going on from an earlier row
        with the shown text gives the same row as never having gone too far: steps are exact.
        """
        row, past = self._trail.shown(self._num_shown), self._request.past
        text_T = np.concatenate([self._request.prompt_T, shown_T])
        left_T = text_T[self._trail.num_tokens_at(row) :]
        if row is None or len(left_T) > 0:
            rest_of_text = replace(
                self._request, past=row, prompt_T=left_T, max_tokens=0, rows_every=0
            )
            row = await read_row(self._stream.go_back(rest_of_text))
        return counted_as_generated(row, past, shown_T)
