"""Why a model cannot be had.

ModelUnknown       no model of that name is served
CannotServe        there is nothing to serve, or not what is wanted
"""

from __future__ import annotations


class ModelUnknown(Exception):
    """No model of that name is served.

    Attributes:
        param: The field of the request that names it.
    """

    param = "model"


class CannotServe(Exception):
    """There is nothing to serve, or not what the settings name; the message says why."""
