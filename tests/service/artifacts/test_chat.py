"""Templates of chats: as the corpus writes chats, and unable to do anything else."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from service.artifacts.chat import ROLES, ROLES_STOP, ChatTemplate, ChatUnrenderable

CHAT = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Hello {{ 7 * 7 }}"},
]


def test_a_line_for_each_message():
    """What users write is no template."""
    text = ChatTemplate(template=ROLES, stop=ROLES_STOP).render(CHAT)

    assert "system: Be kind.\nuser: Hello {{ 7 * 7 }}\nassistant:" == text


@pytest.mark.parametrize(
    "template",
    [
        "{{ messages.append(1) }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.__class__.__base__.__subclasses__() }}",
        "{{ messages[0].nothing }}",
        "{{ raise_exception('only one message') }}",
        "{{ range(1000000000) | list }}",
        "{{ 1 / 0 }}",
    ],
)
def test_a_template_writes_and_does_nothing_else(template: str):
    """It runs in a sandbox; what it may not do is an error of its messages."""
    with pytest.raises(ChatUnrenderable):
        ChatTemplate(template=template).render(CHAT)


@pytest.mark.parametrize(
    "template", ["", "{% for", "{{ messages | no_such_filter }}", "x" * 20_000]
)
def test_what_is_no_template_is_no_manifest(template: str):
    """It is found when the manifest is read."""
    with pytest.raises(ValidationError):
        ChatTemplate(template=template)
