"""JSON, tables and chats as people have them: all of them are read, or refused in clear words."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.training.documented import documented
from training.config.text import CorpusConfig
from training.corpora.corpus import Corpus
from training.corpora.load import load_corpus
from training.errors import CorpusError

TEXTS = [f"text number {n} äö\nsecond line" for n in range(300)]
RECORDS = [{"id": n, "text": text} for n, text in enumerate(TEXTS)]


def load(path: Path, content: str | bytes, **options: object) -> Corpus:
    """A user's own text."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return load_corpus(CorpusConfig.model_validate({"path": str(path), **options}))


def lines_of(records: Sequence[object]) -> str:
    """JSON lines."""
    return "\n".join(json.dumps(record, ensure_ascii=False) for record in records)


@pytest.mark.parametrize(
    "content",
    [
        lines_of(RECORDS),
        lines_of(RECORDS).replace("\n", "\r\n\r\n") + "\n\n",
        json.dumps(RECORDS),
        json.dumps(RECORDS, indent=2),
        "\ufeff" + json.dumps(RECORDS, indent="\t"),
        "\n".join(json.dumps(record, indent=2) for record in RECORDS),
    ],
)
def test_json_is_read_however_it_is_laid_out(tmp_path: Path, content: str) -> None:
    """Lines, arrays, and records that span lines."""
    corpus = load(tmp_path / "t.json", content, format="jsonl", items="documents")
    assert [*corpus.train, *corpus.validation] == TEXTS


@pytest.mark.parametrize(
    ("field", "record"),
    [
        ("message.text", {"message": {"text": "some words"}}),
        ("message.text", {"message.text": "some words"}),
        ("messages.1.content", {"messages": [{}, {"content": "some words"}]}),
    ],
)
def test_a_field_may_lie_deeper(tmp_path: Path, field: str, record: object) -> None:
    """With dots between the names."""
    content = lines_of([record] * 500)
    corpus = load(tmp_path / "t", content, format="jsonl", text_field=field, items="documents")
    assert next(iter(corpus.train)) == "some words"


PARTS = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "x"}}]


@pytest.mark.parametrize(
    ("chat", "text", "left_out"),
    [
        ([{"role": "user", "content": "hi"}, {"role": "assistant", "content": "a\nb"}],
         "user: hi\nassistant: a\nb", None),
        ([{"from": "human", "value": "hi"}, {"from": "gpt", "value": "yes"}],
         "human: hi\ngpt: yes", None),
        ([{"role": "user", "content": PARTS}],
         "user: look", "500 parts of messages that are not text"),
        ([{"role": "user", "content": "hi"}, {"role": "assistant", "content": None}],
         "user: hi", "500 messages without text"),
    ],
)  # fmt: skip
def test_a_chat_is_a_line_for_each_message(
    tmp_path: Path, chat: object, text: str, left_out: str | None
) -> None:
    """Of OpenAI's parts those that are text; what is none is counted."""
    content = lines_of([{"messages": chat}] * 500)
    options = {"format": "jsonl", "text_field": "messages", "items": "documents"}
    corpus = load(tmp_path / "t", content, **options)
    assert next(iter(corpus.train)) == text
    assert (left_out is None) == (
        documented("left out of the documents") not in str(corpus.remarks)
    )
    assert left_out is None or left_out in str(corpus.remarks)


@pytest.mark.parametrize("record", [{"text": "a\0b"}, {"text": "\ud83d"}])
@pytest.mark.parametrize("is_array", [False, True])
def test_what_no_text_holds_is_refused(tmp_path: Path, record: object, is_array: bool) -> None:
    """NULs and halves of characters, by the place of their record."""
    content = json.dumps([record] * 500) if is_array else "\n".join([json.dumps(record)] * 500)
    place = "record 1" if is_array else "line 1"
    with pytest.raises(CorpusError, match=rf"{place} holds (a NUL|half a) character"):
        load(tmp_path / "t", content, format="jsonl")
    if "\0" in str(record):
        load(tmp_path / "t", content, format="jsonl", allow_nul=True)


@pytest.mark.parametrize("text_format", ["jsonl", "csv"])
def test_records_are_read_in_their_encoding(tmp_path: Path, text_format: str) -> None:
    """And bad bytes are counted."""
    plain = [text.replace("\n", " ") for text in TEXTS]
    content = (
        lines_of([{"text": text} for text in plain])
        if text_format == "jsonl"
        else "text\n" + "\n".join(plain)
    ).encode("latin-1")
    options = {"format": text_format, "items": "documents"}
    corpus = load(tmp_path / "t", content, encoding="latin-1", **options)
    assert [*corpus.train, *corpus.validation] == plain
    skipped = load(tmp_path / "t", content, errors="skip", **options)
    assert "bytes at 600 places are not UTF-8" in str(skipped.notes)
    with pytest.raises(CorpusError, match=documented("looks like windows-1252")):
        load(tmp_path / "t", content, **options)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lines_of(RECORDS)[:-9], "the last line ends in the middle: was the download cut off?"),
        (lines_of(RECORDS)[:-1], "the last line ends in the middle: was the download cut off?"),
        (json.dumps(RECORDS)[:-9], "ends in the middle of a record"),
        (json.dumps(RECORDS)[:-1], "ends in its array"),
        (json.dumps(RECORDS, indent=1)[:-9], "ends in the middle of a record"),
        (json.dumps(RECORDS) * 2, "there is more after the end of the array"),
        ("\n".join(['{"text": ' + "[" * 50_000 + "]" * 50_000 + "}"] * 2), "is nested too deeply"),
        ('[{"text": ' + "[" * 50_000 + "]" * 50_000 + "}]", "is nested too deeply"),
        (lines_of([{"message": {"text": "x"}}]), "deeper lie the texts"),
        (lines_of([{"data": RECORDS}]), "is a list of 300 records, which jq -c"),
        (lines_of([{"chat": [{"role": "user", "content": "x"}]}]), "can be the text_field"),
        (lines_of([{"body": "x"}]), "its fields are"),
        ('{"text": "x", "n": ' + "9" * 5_000 + "}\n{}", "is not JSON"),
        ("plain words\n" * 900, "is not JSON"),
    ],
)  # fmt: skip
def test_json_that_cannot_be_read_is_named(tmp_path: Path, content: str, message: str) -> None:
    """With the file, the place and the kind."""
    expected = message if "300" in message else documented(message)
    with pytest.raises(CorpusError, match=re.escape(expected)) as refused:
        load(tmp_path / "t.jsonl", content, format="jsonl")
    assert "t.jsonl" in str(refused.value)


@pytest.mark.parametrize("is_array", [False, True])
def test_long_records_are_whole(tmp_path: Path, is_array: bool) -> None:
    """Longer than the pieces that other texts are read in."""
    long = [{"text": "w" * (17 << 20)}, {"text": "end"}]
    content = json.dumps(long) if is_array else lines_of(long)
    corpus = load(tmp_path / "t", content, format="jsonl", items="documents")
    assert corpus.train.num_characters == 17 << 20


def test_endless_lines_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before they fill the memory."""
    monkeypatch.setattr("training.corpora.json_records.LONGEST_VALUE", 1_000)
    with pytest.raises(CorpusError, match="line 2 is longer than 1,000 characters: write one"):
        load(tmp_path / "t", lines_of([{"text": "a"}, {"text": "w" * 2_000}]), format="jsonl")


@pytest.mark.parametrize(
    ("content", "options"),
    [
        ("id,text\n" + '1,"a, b ""q""\nnext"\n' * 500, {}),
        ("id\ttext\n" + '1\t"a, b ""q""\nnext"\n' * 500, {}),
        ("\ufeffid;text\r\n" + '1;"a, b ""q""\r\nnext"\r\n' * 500, {}),
        ("text|id\n\n" + '"a, b ""q""\nnext"|1\n' * 500, {}),
        ('body,id\n"a, b ""q""\nnext",1\n' * 500, {"text_field": "body"}),
    ],
)
def test_tables_are_read(tmp_path: Path, content: str, options: dict[str, object]) -> None:
    """Whatever the delimiter; quoted fields may hold delimiters, line ends and quotation marks."""
    corpus = load(tmp_path / "t.csv", content, format="csv", items="documents", **options)
    assert next(iter(corpus.train)) == 'a, b "q"\nnext'


def test_quotation_marks_may_be_characters(tmp_path: Path) -> None:
    """For tables that were written without quoting."""
    content = "id\ttext\n" + '1\t"a b\n' * 1_000
    corpus = load(tmp_path / "t.tsv", content, format="csv", quoted=False, items="documents")
    assert next(iter(corpus.train)) == '"a b'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,body\n1,x\n", "has no column 'text' (corpus.text_field)"),
        ("id,text\n1,a, b\n", "columns, the header has"),
        ("id,text\n1\n", "columns, the header has"),
        ('id,text\n1,"a\n2,b\n', "cannot be read as CSV"),
        ('id,text\n1,"a" b\n', "cannot be read as CSV"),
        ("", "is empty: a table begins with the names of its columns"),
    ],
)
def test_tables_that_cannot_be_read_are_named(tmp_path: Path, content: str, message: str) -> None:
    """Rather than cut where a delimiter happens to be."""
    with pytest.raises(CorpusError, match=re.escape(documented(message))):
        load(tmp_path / "t.csv", content, format="csv")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.jsonl", '{"text": "x"}\n', "--format jsonl\n"),
        ("t.JSONL", '{"body": "long", "id": "1"}\n', "--format jsonl --text-field body"),
        ("t.json", '[{"messages": [{"role": "user", "content": "x"}]}]', "--text-field messages"),
        ("t.csv", "id,the text\n1,x\n", "--format csv --text-field 'the text'"),
        ("t.tsv", "id\ttext\n1\tx\n", "--format csv\n"),
        ("t.jsonl", "no JSON at all", "--format jsonl\n"),
    ],
)
def test_texts_called_like_records_say_what_to_write(
    tmp_path: Path, name: str, content: str, words: str
) -> None:
    """Options that can be pasted; but whoever says that it is a text gets it as it is."""
    with pytest.raises(CorpusError) as refused:
        load(tmp_path / name, content)
    kind = "looks like a table" if "csv" in words else "looks like JSON"
    assert documented(kind) in str(refused.value)
    assert words in str(refused.value)
    assert load(tmp_path / name, content * 400, format="text").num_characters > 0
