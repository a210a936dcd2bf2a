"""The keys of capsules."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.settings.names import ENV_PREFIX


class CapsuleSettings(BaseSettings):
    """The keys of capsules."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True
    )

    capsule_keys: SecretStr | None = Field(
        None,
        description="Keys of capsules, `ID:KEY` by commas, KEY being 32 bytes in base64; the first "
        "one seals, all open. Without one there are no capsules.",
    )
    capsule_keys_file: Path | None = Field(
        None, description="A file of such keys; they come after those of `capsule_keys`."
    )

    def capsule_key_text(self) -> str:
        """All of them, one after the other.

        Raises:
            OSError, UnicodeDecodeError: The file cannot be read.
        """
        text = self.capsule_keys.get_secret_value() if self.capsule_keys else ""
        if self.capsule_keys_file is not None:
            text += "\n" + self.capsule_keys_file.read_text(encoding="utf-8")
        return text
