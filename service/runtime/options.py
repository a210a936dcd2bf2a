"""How tokens are drawn, as who asks says it. It needs no numpy: a command line can have it too."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_Penalty = Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)]


class SamplingOptions(BaseModel):
    """How tokens are drawn; None leaves an option to whoever comes next (see `merged`).

    Applied in this order, after the rules about single ids: penalties, temperature, top_k, top_p
    (over what top_k left), min_p.
    Sources: temperature Ackley et al. 1985, top_k Fan et al. 2018, top_p Holtzman et al. 2020,
    min_p Nguyen et al. 2024, repetition_penalty Keskar et al. 2019.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] | None = Field(
        None,
        description="Divides the logits; 0 takes the most probable token. By default the model's "
        "own (of a run: sample.temperature), else 1.",
    )
    top_k: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Draw among the k most probable tokens only; ties go to the lower id."
    )
    top_p: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = Field(
        None, description="Draw among the fewest tokens that together hold this probability."
    )
    min_p: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = Field(
        None,
        description="Keep tokens whose probability is at least this fraction of the most likely "
        "one's.",
    )
    repetition_penalty: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        None,
        description="Divides the positive and multiplies the negative logits of every token that "
        "the text holds, prompt included: above 1 they become less probable.",
    )
    presence_penalty: _Penalty | None = Field(
        None, description="Subtracted from the logit of every token that was generated."
    )
    frequency_penalty: _Penalty | None = Field(
        None, description="Subtracted once for every time that the token was generated."
    )

    def merged(self, *defaults: SamplingOptions) -> SamplingOptions:
        """These options; where one is None, the first of `defaults` that has it."""
        chosen = {}
        for options in (*reversed(defaults), self):
            for name in _NAMES:
                if (value := getattr(options, name)) is not None:
                    chosen[name] = value
        return SamplingOptions(**chosen)


_NAMES = tuple(SamplingOptions.model_fields)
NO_OPTIONS = SamplingOptions()
