"""What all sections of a config have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Probability = Annotated[float, Field(ge=0.0, lt=1.0)]


class Section(BaseModel):
    """Frozen, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @property
    def chosen(self) -> set[str]:
        """Fields that are not as they would be by default."""
        fields = type(self).model_fields
        return {name for name, field in fields.items() if getattr(self, name) != field.default}
