"""Why a model cannot be had.

ModelUnknown       no model of that name is served
"""

from __future__ import annotations


class ModelUnknown(Exception):
    """No model of that name is served.

    Attributes:
        param: The field of the request that names it.
    """

    param = "model"
