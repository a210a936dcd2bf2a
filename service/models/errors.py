"""Why a model cannot be had.

ModelUnknown       no model of that name is served
ModelBroken        the model that is meant should be served, and is damaged
CannotServe        there is nothing to serve, or not what is wanted
ReloadFailed       the same, while older ones are served on
"""

from __future__ import annotations


class ModelUnknown(Exception):
    """No model of that name is served.

    Attributes:
        param: The field of the request that names it.
    """

    param = "model"


class ModelBroken(Exception):
    """The model that is meant should be served, and is damaged; the message says how.

    Attributes:
        param: The field of the request that names it, or could name another one.
    """

    param = "model"


class CannotServe(Exception):
    """There is nothing to serve, or not what the settings name; the message says why."""


class ReloadFailed(Exception):
    """What is to be served now cannot be told; the message says why. Nothing has changed."""
