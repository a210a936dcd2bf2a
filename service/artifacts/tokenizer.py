"""Text to token ids and back, by the tokenizer.json of an artefact (library `tokenizers`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer as HuggingFaceTokenizer

from service.artifacts.errors import TokenizerError
from service.artifacts.incremental import IncrementalDecoder, PieceDecoder, WindowDecoder
from service.artifacts.pieces import read_pieces


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
        self._pieces = read_pieces(self._tokenizer)
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
        if self._pieces is not None and self._pieces.one_mark_a_byte:
            # For one broken character the library breaks all that stand beside it in bytes, also
            # those that have been shown long since.
            decoder = self.incremental()
            return "".join([*map(decoder.push, ids), decoder.finish()])
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True))

    def token_text(self, token_id: int) -> str:
        """What one id reads as by itself, special ids by their names."""
        text = self._token_texts.get(token_id)
        if text is None:
            text = str(self._tokenizer.decode([token_id], skip_special_tokens=False))
            self._token_texts[token_id] = text
        return text

    def incremental(self) -> IncrementalDecoder:
        """A fresh incremental decoder: its pieces put together are what `decode` gives."""
        if self._pieces is None:
            return WindowDecoder(self._tokenizer)
        return PieceDecoder(self._pieces)
