"""Text to token ids and back, by the tokenizer.json of an artefact (library `tokenizers`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer as HuggingFaceTokenizer
from tokenizers.decoders import DecodeStream

from service.artifacts.errors import TokenizerError


class IncrementalDecoder:
    """Ids in, text out, piece by piece, never a broken character.

    The pieces put together are the text of all ids: what does not yet make a whole character is
    held back until it does.
    """

    def __init__(self, tokenizer: HuggingFaceTokenizer) -> None:
        self._tokenizer = tokenizer
        self._stream = DecodeStream(skip_special_tokens=True)

    def push(self, token_id: int) -> str:
        """The text that `token_id` completes; empty while a character is incomplete."""
        return self._stream.step(self._tokenizer, token_id) or ""


class Tokenizer:
    """The tokenizer of one model.

    Raises:
        TokenizerError: The file cannot be read, or its vocabulary is not `vocabulary_size` ids.
    """

    def __init__(self, path: Path, content: bytes, vocabulary_size: int) -> None:
        try:
            self._tokenizer = HuggingFaceTokenizer.from_buffer(content)
        except (KeyboardInterrupt, SystemExit):
            raise
        # The library raises a bare Exception for most kinds of bad files, and for some it panics:
        # that is no Exception.
        except BaseException as error:
            raise TokenizerError(path, f"not a tokenizer file: {error}") from error
        ids = self._tokenizer.get_vocab(with_added_tokens=True)
        if sorted(ids.values()) != list(range(vocabulary_size)):
            raise TokenizerError(
                path, f"its {len(ids)} ids are not the manifest's 0..{vocabulary_size - 1}"
            )
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        # "<unk>" typed by a user is five characters, not the special token of that name.
        self._tokenizer.encode_special_tokens = True
        self.vocabulary_size = vocabulary_size
        self._token_texts: dict[int, str] = {}
        # The name of the unknown token is not what it stands for.
        unknown = getattr(self._tokenizer.model, "unk_token", None)
        self.max_characters_per_token = max(len(token) for token in ids if token != unknown)

    def encode(self, text: str) -> list[int]:
        """The ids of `text`; nothing is added before or after.

        Takes about a second for a million characters, without holding the interpreter's lock:
        call it from a worker thread.
        """
        # `encode` holds the lock for all that time; the batch call lets go of it.
        [encoding] = self._tokenizer.encode_batch_fast([text], add_special_tokens=False)
        ids: list[int] = encoding.ids
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`; special tokens leave no trace."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True))

    def token_text(self, token_id: int) -> str:
        """What one id reads as by itself, special ids by their names."""
        text = self._token_texts.get(token_id)
        if text is None:
            text = str(self._tokenizer.decode([token_id], skip_special_tokens=False))
            self._token_texts[token_id] = text
        return text

    def incremental(self) -> IncrementalDecoder:
        """A fresh incremental decoder."""
        return IncrementalDecoder(self._tokenizer)
