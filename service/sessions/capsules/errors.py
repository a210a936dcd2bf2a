"""What can be wrong with a capsule.

CapsuleError
├── CapsulesOff         the server has no key for them
├── CapsuleInvalid      it is none, is damaged, or was sealed with a key that is not here
├── CapsuleExpired      its time is over
└── CapsuleUnusable     it is of another model than the one that is served
"""

from __future__ import annotations


class CapsuleError(Exception):
    """A capsule cannot be made or opened; nothing has changed."""


class CapsulesOff(CapsuleError):
    """The server has no key for capsules."""


class CapsuleInvalid(CapsuleError):
    """It is no capsule, is damaged, or was sealed with a key that is not here."""


class CapsuleExpired(CapsuleError):
    """The capsule's time is over."""


class CapsuleUnusable(CapsuleError):
    """What is in the capsule does not belong to the model that is served."""
