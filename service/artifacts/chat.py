"""Chats as a model was trained on them: a template in its manifest, rendered in a sandbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, NoReturn

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

if TYPE_CHECKING:
    from jinja2 import Template

ROLES = (
    "{% for message in messages %}{% if message.content %}"
    "{{ message.role }}: {{ message.content }}\n"
    "{% endif %}{% endfor %}assistant:"
)
"""A line `role: content` for each message, as `training.corpora` writes the chats of a corpus."""
ROLES_STOP = ("\nuser:", "\nassistant:", "\nsystem:")


class ChatUnrenderable(Exception):
    """The template refuses these messages; the message says why."""


class ChatTemplate(BaseModel):
    """How a chat is written for a model, and what ends its answer.

    Attributes:
        template: Jinja, of `messages` with a `role` and a `content` each; it ends where the answer
            begins.
        stop: What the model would write in front of somebody else's message.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    template: Annotated[str, StringConstraints(min_length=1, max_length=1 << 14)]
    stop: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=64)], ...],
        Field(max_length=16),
    ] = ()

    @field_validator("template")
    @classmethod
    def _is_one(cls, template: str) -> str:
        # Here and not above, as below: most models have no template.
        from jinja2 import TemplateError

        try:
            _compiled(template)
        except TemplateError as error:
            raise ValueError(f"it is no template: {error}") from error
        return template

    def render(self, messages: Sequence[Mapping[str, str]]) -> str:
        """The text that the model goes on from.

        Raises:
            ChatUnrenderable: The template fails at them.
        """
        from jinja2 import TemplateError

        try:
            return _compiled(self.template).render(messages=messages, add_generation_prompt=True)
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
            raise ChatUnrenderable(f"the model's template refuses them: {error}") from error


@lru_cache(64)
def _compiled(template: str) -> Template:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
    environment.globals["raise_exception"] = _refuse
    return environment.from_string(template)


def _refuse(message: str) -> NoReturn:
    from jinja2 import TemplateError

    raise TemplateError(message)
