"""How settings are called in the environment, and what kinds of numbers they are."""

from typing import Annotated

from pydantic import Field

ENV_PREFIX = "LSTM_SERVE_"

Positive = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
