"""Why a text cannot be started.

InvalidOption      an option is outside of this server's or this model's range
"""

from __future__ import annotations


class InvalidOption(Exception):
    """An option is outside of this server's or this model's range.

    Attributes:
        param: The option at fault.
    """

    def __init__(self, param: str, message: str) -> None:
        super().__init__(message)
        self.param = param
