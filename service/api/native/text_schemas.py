"""Bodies of what is asked of texts without writing any: their probabilities, their tokens."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from service.api.native.schemas import Body, Candidate, Lenient, Name, Text

MOST_TEXTS = 256
_Model = Annotated[
    Name | None,
    Field(description="`name` or `name@version`; by default the server's default model."),
]


class ScoreRequest(Lenient):
    """Texts, each of which is read from its beginning."""

    spellings_of_off = ()
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"texts": ["To be, or not to be", "Ot eb, ro ton"]}]}
    )

    model: _Model = None
    texts: Annotated[
        list[Annotated[Text, StringConstraints(min_length=1)]],
        Field(min_length=1, max_length=MOST_TEXTS),
    ] = Field(description="What to read: 1 to 256 texts.")
    tokens: bool = Field(True, description="Report each token, and not only the sums.")
    logprobs: Annotated[int, Field(ge=0, le=10)] | None = Field(
        None, description="Report so many of the best candidates at each token's place."
    )
    timeout_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        None, description="The request fails after this many seconds."
    )


class ScoredToken(Body):
    """A token of a text; the first one of all has no probability, since nothing is before it."""

    id: int
    token: str
    logprob: float | None
    surprisal_bits: float | None
    top: list[Candidate]


class TextScore(Body):
    """How probable a text is to the model.

    Log-probabilities are natural, and of the model's own distribution: before temperature and
    penalties.
    """

    num_tokens: int
    num_scored: int = Field(description="Tokens that have a log-probability.")
    num_characters: int
    unknown_tokens: int
    logprob: float = Field(description="The sum over all tokens.")
    logprob_per_token: float | None
    perplexity: float | None = Field(description="exp of the mean surprisal in nats.")
    surprisal_bits: float = Field(description="The sum over all tokens.")
    bits_per_token: float | None
    bits_per_character: float | None
    tokens: list[ScoredToken] | None = None


class ScoreResponse(Body):
    """The scores, in the order of the texts."""

    model: str
    scores: list[TextScore]


class TokenizeRequest(Body):
    """A text to be made tokens of."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"prompt": "ROMEO:"}]})

    model: _Model = None
    prompt: Text = Field(description="The text; it is cleaned as prompts are.")
    add_special_tokens: bool = Field(
        True, description="Put in front what the model reads at the beginning of every text."
    )
    return_token_strs: bool = Field(False, description="Say how each token reads.")


class TokenizeResponse(Body):
    """The tokens of a text, as a model reads them."""

    model: str
    count: int
    tokens: list[int]
    token_strs: list[str] | None = None
    unknown_tokens: int


class DetokenizeRequest(Body):
    """Tokens to be made a text of."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"tokens": [30, 27, 25]}]})

    model: _Model = None
    tokens: list[int] = Field(description="Ids of tokens.")


class DetokenizeResponse(Body):
    """The text of tokens; special ones leave no trace."""

    model: str
    prompt: str
