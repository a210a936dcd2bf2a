"""Sessions that leave as a capsule, and come in again as somebody's session."""

from __future__ import annotations

from service.inference.identity import Identity
from service.inference.start import Inference
from service.sessions.session import Session, SessionKey


async def capsule_of_session(inference: Inference, session_id: str, identity: Identity) -> bytes:
    """A capsule of a session as it is now, a turn that runs on it left out.

    Raises:
        CapsulesOff: The server has no key for it.
        SessionError, ModelUnknown, ModelBroken: It cannot be read.
    """
    inference.capsules.require()
    session, content = await inference.sessions.read(SessionKey(identity.owner, session_id))
    model = await inference.live.find(session.model)
    row = model.row_at(session, content, session.num_tokens)
    return await inference.capsules.seal(model, row, session.seed, identity.client)


async def session_of_capsule(inference: Inference, capsule: str, identity: Identity) -> Session:
    """A new session of whoever brings the capsule.

    Raises:
        CapsuleError, ModelUnknown, ModelBroken: It cannot be used; nothing was made.
    """
    model, row, seed = await inference.capsules.open(capsule, inference.live, identity.client)
    kept = None if row is None else model.kept(row)
    return await inference.sessions.create(
        owner=identity.owner, account=identity.account, model=model.ref, seed=seed, row=kept
    )
