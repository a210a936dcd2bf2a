"""What can be wrong with a session.

SessionError
├── SessionUnknown      there never was one of this id, or it is somebody else's
├── SessionGone         there was: expired, evicted, deleted; the message says which
├── SessionBusy         another turn is running on it
├── SessionChanged      it is of another version than the client has seen
├── KeyTaken            another turn of the session has this idempotency key
├── PlaceGone           it cannot go back to that place
├── TextsNotKept        what is asked for needs its text, which is not kept
├── SessionUnusable     what is kept of it is not of the model that is served
└── StoreUnavailable    the place where sessions are kept cannot be read or written now
"""

from __future__ import annotations


class SessionError(Exception):
    """A session cannot be used."""


class SessionUnknown(SessionError):
    """There never was a session of this id, or it is somebody else's."""


class SessionGone(SessionError):
    """The session is over; the message says why."""


class SessionBusy(SessionError):
    """Another turn is running on the session."""


class SessionChanged(SessionError):
    """The session is of another version than the one that the client wants to go on from."""


class KeyTaken(SessionError):
    """A turn that asked for something else has this idempotency key."""


class PlaceGone(SessionError):
    """The session cannot go back to that place; the message says to which it can."""


class TextsNotKept(SessionError):
    """What is asked for needs the session's text, which is not kept."""


class SessionUnusable(SessionError):
    """What is kept of the session does not belong to the model that is served, or is damaged."""


class StoreUnavailable(SessionError):
    """Sessions cannot be read or written now; the message says why. Nothing was changed."""


class StoreTooNew(Exception):
    """The store was written by a newer program, and is left as it is."""
