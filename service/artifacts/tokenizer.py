"""Text to token ids and back, by the tokenizer.json of an artefact (library `tokenizers`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer as HuggingFaceTokenizer

from service.artifacts.cleaning import Cleaner, Cleaning
from service.artifacts.errors import TokenizerError
from service.artifacts.incremental import IncrementalDecoder, PieceDecoder, WindowDecoder
from service.artifacts.pieces import read_characters, read_pieces

_NEVER_SEEN = "\U0010fffd"
"""The last code point: for private use, in no text."""
_LONGEST_PIECE = 64
_MOST_WITH_LOCK = 512
_MOST_BY_CHARACTER = 2048


class Tokenizer:
    """The tokenizer of one model.

    Args:
        path: For the messages of errors.
        content: Of the file.
        vocabulary_size: What it must be.
        cleaning: What was done to the text that the model was trained on; None: the usual.
        unknown_id: What stands for the unknown; None: what the file names.

    Attributes:
        pieces: What its ids stand for; None if that depends on their neighbours.

    Raises:
        TokenizerError: The file cannot be read, its vocabulary is not `vocabulary_size` ids, or it
            fails at characters outside of its vocabulary.
    """

    def __init__(
        self,
        path: Path,
        content: bytes,
        vocabulary_size: int,
        cleaning: Cleaning | None = None,
        unknown_id: int | None = None,
    ) -> None:
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
        self.pieces = read_pieces(self._tokenizer)
        # The name of the unknown token is not what it stands for.
        unknown = getattr(self._tokenizer.model, "unk_token", None)
        self.max_characters_per_token = max(len(token) for token in ids if token != unknown)
        # Not every kind of file has a name for it.
        if unknown_id is None and unknown is not None:
            unknown_id = self._tokenizer.token_to_id(unknown)
        self._unknown_id = unknown_id
        self._id_of_character = read_characters(self._tokenizer)
        self.clean = Cleaner(cleaning or Cleaning())
        try:
            self._drops = not self.encode(_NEVER_SEEN)
        except Exception as error:
            raise TokenizerError(path, f"fails at characters unknown to it: {error}") from error

    def encode(self, text: str) -> list[int]:
        """The ids of `text`, as it stands: a prompt is cleaned first. Nothing is added.

        Takes about a second for a million characters; of long texts without holding the
        interpreter's lock: call it from a worker thread.
        """
        if self._id_of_character is not None and len(text) <= _MOST_BY_CHARACTER:
            of, unknown_id = self._id_of_character
            return [of.get(character, unknown_id) for character in text]
        # `encode` holds the lock all the time; the batch call lets go of it, and then waits for it
        # behind the engines.
        if len(text) <= _MOST_WITH_LOCK:
            encoding = self._tokenizer.encode(text, add_special_tokens=False)
        else:
            [encoding] = self._tokenizer.encode_batch_fast([text], add_special_tokens=False)
        ids: list[int] = encoding.ids
        return ids

    def encode_in_place(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """The ids of `text`, and for each the characters that it stands for: start and end.

        Of a character that is several tokens each stands for the whole.
        """
        places = list(range(len(text)))
        if self._drops:  # the library's offsets are wrong once a character was left out
            lost = self._lost_characters(text)
            places = [n for n, character in enumerate(text) if character not in lost]
            text = "".join(text[n] for n in places)
        [encoding] = self._tokenizer.encode_batch([text], add_special_tokens=False)
        spans = [(places[a], places[b - 1] + 1) if a < b else (0, 0) for a, b in encoding.offsets]
        ids: list[int] = encoding.ids
        return ids, spans

    def count_unknown(self, text: str, ids: Sequence[int]) -> int:
        """How many tokens of `text`, whose `ids` are known, stand for what was never seen.

        A tokenizer without a token for it leaves such characters out: each of them counts.
        """
        if self._drops:
            return len(self._unknown_places(text))
        return 0 if self._unknown_id is None else ids.count(self._unknown_id)

    def unknown(self, text: str, at_most: int) -> tuple[str, ...]:
        """The first of the different pieces of `text` that were never seen, in their order.

        Characters or words, without the space before them; of longer ones the first 64 characters.
        """
        found: dict[str, None] = {}
        for start, end in self._unknown_places(text):
            piece = text[start:end]
            found[(piece.strip() or piece)[:_LONGEST_PIECE]] = None
            if len(found) == at_most:
                break
        return tuple(found)

    def _unknown_places(self, text: str) -> list[tuple[int, int]]:
        if self._drops:
            lost = self._lost_characters(text)
            return [(n, n + 1) for n, character in enumerate(text) if character in lost]
        [encoding] = self._tokenizer.encode_batch([text], add_special_tokens=False)
        pairs = zip(encoding.ids, encoding.offsets, strict=True)
        return [place for token_id, place in pairs if token_id == self._unknown_id]

    def _lost_characters(self, text: str) -> set[str]:
        """Those without any token: the library's offsets are wrong once one was left out."""
        characters = list(dict.fromkeys(text))
        encodings = self._tokenizer.encode_batch_fast(characters, add_special_tokens=False)
        lost = {c for c, read in zip(characters, encodings, strict=True) if not read.ids}
        # Where it looks for words, the space between them is no loss.
        return {c for c in lost if self._tokenizer.pre_tokenizer is None or not c.isspace()}

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`; special tokens leave no trace."""
        if self.pieces is not None and self.pieces.one_mark_a_byte:
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
        if self.pieces is None:
            return WindowDecoder(self._tokenizer)
        return PieceDecoder(self.pieces)
