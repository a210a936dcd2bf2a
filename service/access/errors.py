"""Why a request is not let in.

AccessError
├── KeyRefused      there is no key, or it is none of ours
├── NotAllowed      the key is for other things
└── LimitReached    its name has asked for too much; come back later
"""

from __future__ import annotations


class AccessError(Exception):
    """A request is not let in."""


class KeyRefused(AccessError):
    """No key, two keys, or one that is none of ours."""


class NotAllowed(AccessError):
    """The key has not the scope that is needed."""


class LimitReached(AccessError):
    """A limit of the key's name is reached.

    Attributes:
        param: Which: `requests_per_minute`, `tokens_per_minute` or `streams`.
        retry_after_s: When there will be room; of streams, a guess.
    """

    def __init__(self, message: str, param: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.param = param
        self.retry_after_s = retry_after_s
