"""What can be wrong with a session.

SessionError
├── SessionUnknown     there never was one of this id
├── SessionGone        there was: expired, evicted, deleted; the message says which
└── SessionBusy        another turn is running on it
"""

from __future__ import annotations


class SessionError(Exception):
    """A session cannot be used."""


class SessionUnknown(SessionError):
    """There never was a session of this id."""


class SessionGone(SessionError):
    """The session is over; the message says why."""


class SessionBusy(SessionError):
    """Another turn is running on the session."""
