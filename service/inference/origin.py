"""What a text goes on from: a session, a capsule, or nothing."""

from __future__ import annotations

from dataclasses import dataclass

from service.entropy import randbits
from service.inference.capsules import Capsules
from service.inference.deadline import Deadline
from service.inference.errors import InvalidOption
from service.inference.recorded import RecordedText
from service.inference.request import SEED_BITS, RequestLimits, TextRequest
from service.inference.session_work import COMMIT_S, SessionWork
from service.inference.turn import Turn
from service.models.live import LiveModels
from service.models.registry import ServedModel
from service.rows.arrays import Int64
from service.rows.row import Row
from service.sessions.session import Recorded, Session, SessionKey
from service.sessions.store import SessionStore


@dataclass(frozen=True, slots=True)
class Origin:
    """What a text goes on from.

    Attributes:
        asked: For the text.
        model: That writes it.
        past: Its row; None: the start.
        seed: What it draws with if the request says nothing.
        turn: Of the session, if it is one.
        prompt_T: What it reads, if that is not the request's prompt.
    """

    asked: TextRequest
    model: ServedModel
    past: Row | None
    seed: int
    turn: Turn | None = None
    prompt_T: Int64 | None = None


class Origins:
    """Finds what texts go on from; shares what it is given with `Inference`."""

    def __init__(
        self,
        live: LiveModels,
        sessions: SessionStore,
        capsules: Capsules,
        session_work: SessionWork,
        limits: RequestLimits,
    ) -> None:
        self._live, self._sessions, self._capsules = live, sessions, capsules
        self._session_work, self._limits = session_work, limits

    async def of(self, asked: TextRequest, deadline: Deadline) -> Origin | RecordedText:
        """What a text goes on from.

        Raises:
            InvalidOption, ModelUnknown, ModelBroken, SessionError, CapsuleError: There is no such
                thing, or not now.
        """
        if asked.session is not None:
            return await self._turn(asked, asked.session, deadline)
        if asked.capsule is None:
            return Origin(asked, self._live.current.resolve(asked.model), None, randbits(SEED_BITS))
        client = asked.identity.client
        model, past, seed = await self._capsules.open(asked.capsule, self._live, client)
        if not self._live.current.may_mean(asked.model, model):
            raise InvalidOption("model", f"the capsule belongs to {model.ref}")
        return Origin(asked, model, past, seed)

    async def _turn(
        self, asked: TextRequest, session_id: str, deadline: Deadline
    ) -> Origin | RecordedText:
        """A turn of a session, reserved for it; or one that has been, by its idempotency key."""
        begun = await self._sessions.begin(
            SessionKey(asked.identity.owner, session_id),
            lease_s=deadline.time_left_s + COMMIT_S,
            version=asked.session_version,
            idempotency=asked.idempotency,
        )
        if isinstance(begun, Recorded):
            return RecordedText(await self._model_of(asked.model, begun.session), begun)
        turn = Turn(self._sessions, begun, keeps_texts=self._limits.keep_session_texts)
        try:
            model, seed = await self._model_of(asked.model, begun.session), begun.session.seed
            if not asked.again:
                return Origin(asked, model, model.row_of(begun), seed, turn)
            again = await self._session_work.again(begun.session, asked.identity, deadline)
            turn.goes_on_from(again.back)
            return Origin(again.asked(asked), model, again.row, seed, turn, again.prompt_T)
        except BaseException:
            await turn.abandon()
            raise

    async def _model_of(self, name: str | None, session: Session) -> ServedModel:
        model = await self._live.find(session.model)
        if not self._live.current.may_mean(name, model):
            raise InvalidOption("model", f"session {session.id} belongs to {session.model}")
        return model
