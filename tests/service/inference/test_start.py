import asyncio
import dataclasses
import threading
from dataclasses import replace

import numpy as np
import pytest

from service.artifacts.store import ModelStore
from service.artifacts.tokenizer import Tokenizer
from service.engine.errors import EngineError, TimedOut
from service.engine.pool import EnginePool
from service.engine.request import Request
from service.engine.worker import Engine
from service.inference import reading
from service.inference.errors import InvalidOption
from service.inference.reading import read_row
from service.inference.request import TextRequest
from service.inference.start import Inference
from service.inference.turn import counted_as_generated
from service.models.errors import ModelUnknown
from service.models.registry import ModelRegistry, ServedModel
from service.runtime.reference.stepwise import StepwiseDecoder
from service.runtime.sampling import Sampling, SamplingOptions
from service.runtime.step import StepGraph
from service.sessions.errors import SessionBusy
from service.sessions.memory import MemorySessionStore
from tests import tiny_model
from tests.service.limits import engine_limits, request_limits, session_limits


@pytest.fixture
def served(tmp_path):
    """Tiny models in engines of their own; "pairs" has tokens of two letters, "bytes" half ones."""
    tokenizers = {
        "pairs": tiny_model.pair_tokenizer_json(),
        "bytes": tiny_model.byte_tokenizer_json(),
    }
    served = []
    for seed, name in enumerate(["tiny", "other", "pairs", "bytes"]):
        tokenizer_json = tokenizers.get(name)
        folder = tiny_model.publish(tmp_path, name, seed=seed, tokenizer=tokenizer_json)
        artifact = ModelStore(tmp_path).verify(name, 1)
        decoder = StepwiseDecoder(
            StepGraph(artifact.read("model.onnx")),
            capacity=4,
            never_drawn=[tiny_model.VOCABULARY_SIZE - 1],
        )
        tokenizer = Tokenizer(
            folder / "tokenizer.json",
            artifact.read("tokenizer.json"),
            tiny_model.VOCABULARY_SIZE,
        )
        engine = EnginePool([Engine(name, decoder, engine_limits())])
        served.append(ServedModel(artifact.manifest, tokenizer, engine))
    return served


@pytest.fixture
async def inference(served):
    """The use cases, with the engines running."""
    for model in served:
        model.engine.start()
    yield Inference(
        ModelRegistry(served, "tiny", {}),
        MemorySessionStore(session_limits()),
        request_limits(max_tokens=500, max_prompt_tokens=50, max_timeout_s=60),
    )
    for model in served:
        await model.engine.stop()


async def _generate(inference, prompt="", max_tokens=20, **options):
    sampled = {name: options.pop(name) for name in {*SamplingOptions.model_fields} & {*options}}
    running = await inference.start(
        TextRequest(prompt, max_tokens, SamplingOptions(**sampled), seed=7, **options)
    )
    try:
        return await running.collect()
    finally:
        await running.close()


def _bits(row):
    return tuple(
        np.asarray(getattr(row, field.name)).tobytes() for field in dataclasses.fields(row)
    )


_PENALTIES = {"repetition_penalty": 1.3, "presence_penalty": 0.5, "frequency_penalty": 0.25}


@pytest.mark.parametrize("options", [{}, _PENALTIES], ids=["plain", "penalties"])
async def test_two_turns_are_one_run(inference, options):
    """The texts and the rows, bit for bit."""
    [split, whole] = [
        (await inference.create_session(prompt="Ro", model=None, seed=1))[0] for _ in range(2)
    ]

    first = await _generate(inference, max_tokens=15, session=split.id, **options)
    second = await _generate(inference, max_tokens=25, session=split.id, **options)
    both = await _generate(inference, max_tokens=40, session=whole.id, **options)

    assert both.text == first.text + second.text
    rows = [(await inference.sessions.get(s.id)).row for s in (split, whole)]
    assert _bits(rows[0]) == _bits(rows[1])


async def test_a_turn_that_stopped_is_a_run_that_ended_there(inference):
    """After a stop string the session is where the shown text ends, with all its counts."""
    [stopped, exact] = [
        (await inference.create_session(prompt="Ro", model=None, seed=1))[0] for _ in range(2)
    ]
    text = (await _generate(inference, "Ro", max_tokens=40, **_PENALTIES)).text
    stop = text[20:23]
    cut = text.index(stop)

    delta = await _generate(
        inference, max_tokens=40, session=stopped.id, stop=(stop,), **_PENALTIES
    )
    if cut:
        await _generate(inference, max_tokens=cut, session=exact.id, **_PENALTIES)

    assert ("stop", text[:cut]) == (delta.finish_reason, delta.text)
    rows = [(await inference.sessions.get(s.id)).row for s in (stopped, exact)]
    assert _bits(rows[0]) == _bits(rows[1])


async def test_a_stop_inside_a_token_leaves_the_shown_half(inference):
    """The session has read the shown text: whole tokens, and the rest encoded anew."""
    model = inference.models.resolve("pairs")
    running = await inference.start(
        TextRequest("ro", 60, SamplingOptions(top_k=60), seed=7, model="pairs", logprobs=0)
    )
    ids = (await running.collect()).figures.id_N.tolist()
    tokens = [model.tokenizer.token_text(token_id) for token_id in ids]
    n = next(n for n, token in enumerate(tokens[:-1]) if n and len(token) == 2)
    text, stop = "".join(tokens), tokens[n][1] + tokens[n + 1]
    cut = sum(map(len, tokens[:n])) + 1
    assert cut == text.index(stop)

    session, _ = await inference.create_session(prompt="ro", model="pairs", seed=7)
    delta = await _generate(inference, max_tokens=60, session=session.id, stop=(stop,), top_k=60)

    assert ("stop", text[:cut]) == (delta.finish_reason, delta.text)
    whole = [id for token in [*tokens[:n], tokens[n][0]] for id in model.tokenizer.encode(token)]
    ids = np.array([*model.tokenizer.encode("ro"), *whole])
    request = Request(ids, 0, Sampling(seed=7), timeout_s=60, return_row=True)
    row = counted_as_generated(await read_row(model.engine.submit(request)), None, np.array(whole))
    assert _bits(row) == _bits((await inference.sessions.get(session.id)).row)


async def test_half_a_character_at_the_end_belongs_to_the_text(inference):
    """It is shown, and may complete a stop string like any other; then the text is cut there."""
    model = {"model": "bytes", "temperature": 3.0}
    delta = await _generate(inference, "ro", max_tokens=300, logprobs=0, **model)
    texts = [info.chosen.token for info in delta.tokens]
    n = next(n for n, text in enumerate(texts) if n > 5 and text == "�" and texts[n - 1] != "�")
    [stopped, exact] = [
        await inference.create_session(prompt="ro", model="bytes", seed=7) for _ in range(2)
    ]

    whole = await _generate(inference, "ro", max_tokens=n + 1, **model)
    stop = whole.text[-3:]
    cut = await _generate(inference, max_tokens=n + 1, session=stopped.id, stop=(stop,), **model)
    await _generate(inference, max_tokens=n - 2, session=exact.id, **model)

    assert "�" == whole.text[-1]
    assert ("length", n + 1) == (whole.finish_reason, whole.usage.completion_tokens)
    assert ("stop", whole.text[:-3]) == (cut.finish_reason, cut.text)
    rows = [(await inference.sessions.get(s.id)).row for s in (stopped, exact)]
    assert _bits(rows[0]) == _bits(rows[1])


async def test_a_stop_before_any_text_leaves_the_session_where_it_was(inference):
    """Nothing was read and nothing shown."""
    session, _ = await inference.create_session(prompt="Ro", model=None, seed=7)
    text = (await _generate(inference, "Ro", max_tokens=3)).text

    delta = await _generate(inference, session=session.id, stop=(text,))

    assert ("stop", "") == (delta.finish_reason, delta.text)
    assert _bits(session.row) == _bits((await inference.sessions.get(session.id)).row)


async def test_a_turn_that_is_left_changes_nothing(inference):
    """The session is as it was, and free for the next turn."""
    session, _ = await inference.create_session(prompt="Ro", model=None, seed=1)
    running = await inference.start(TextRequest("meo", 400, session=session.id))
    with pytest.raises(SessionBusy):
        await inference.start(TextRequest(session=session.id))
    await running.close()

    assert session == await inference.sessions.get(session.id)
    await _generate(inference, session=session.id)


async def test_a_turn_over_its_time_changes_nothing(inference):
    """It fails, and the session is as it was."""
    session, _ = await inference.create_session(prompt="Ro", model=None, seed=1)
    with pytest.raises(EngineError):
        await _generate(inference, max_tokens=500, session=session.id, timeout_s=1e-9)

    assert session == await inference.sessions.get(session.id)


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"max_tokens": 501}, "max_tokens"),
        ({"timeout_s": 61}, "timeout_s"),
        ({"prompt": "a" * 51}, "prompt"),
        ({"prompt": "a" * 10_000_000}, "prompt"),
    ],
    ids=["max_tokens", "timeout_s", "prompt", "giant"],
)
async def test_what_is_out_of_range_is_named(inference, options, param):
    """Before anything starts; the session is free."""
    session, _ = await inference.create_session(prompt="", model=None, seed=None)
    with pytest.raises(InvalidOption) as caught:
        await inference.start(TextRequest(session=session.id, **options))

    assert param == caught.value.param
    await _generate(inference, session=session.id)


async def test_a_prompt_that_cannot_fit_is_not_even_tokenised(inference, served, monkeypatch):
    """Tokenising 10 million characters takes seconds; their number is enough to refuse them."""
    monkeypatch.setattr(Tokenizer, "encode", lambda *_: pytest.fail("tokenised"))
    with pytest.raises(InvalidOption):
        await inference.start(TextRequest("\r\n" * 51))

    monkeypatch.setattr(served[0].tokenizer, "clean", lambda _: pytest.fail("cleaned"))
    with pytest.raises(InvalidOption):
        await inference.start(TextRequest("\r\n" * 5_000_000))


async def test_prompts_and_stop_strings_are_read_as_the_models_text_was(inference):
    """Also those of sessions; the length that counts is that of what is read."""
    plain = await _generate(inference, "a\n" * 25, max_tokens=60)
    stop = plain.text[: plain.text.index("\n")]

    assert plain.text == (await _generate(inference, "a\r\n" * 25, max_tokens=60)).text
    assert stop == (await _generate(inference, "a\r" * 25, max_tokens=60, stop=("\r\n",))).text
    session, unknown = await inference.create_session(
        prompt="\ufeff\r\na?0?\r", model=None, seed=7, report_unknown=True
    )
    assert (6, 1, ("0",)) == (session.num_tokens, unknown.num_tokens, unknown.pieces)


async def test_nothing_is_left_of_a_stop_string(inference):
    """It would end every text before it begins."""
    with pytest.raises(InvalidOption) as caught:
        await inference.start(TextRequest("a", stop=("b", "\ufeff")))

    assert "stop" == caught.value.param


async def test_time_spent_before_the_engine_counts(inference, monkeypatch):
    """A prompt that waits for the tokenizer, or is in it, when its time is over."""
    session = await inference.create_session(prompt="", model=None, seed=None)
    gate = threading.Event()
    encode = Tokenizer.encode

    def waits(tokenizer, text):
        assert gate.wait(30)
        return encode(tokenizer, text)

    monkeypatch.setattr(Tokenizer, "encode", waits)
    monkeypatch.setattr(reading, "_MAX_INLINE_CHARACTERS", 10)
    asked = TextRequest("a" * 30, timeout_s=0.05)
    ends = await asyncio.gather(
        *(inference.start(asked) for _ in range(3)),
        inference.start(replace(asked, session=session.id)),
        return_exceptions=True,
    )
    gate.set()

    assert [TimedOut] * 4 == [type(end) for end in ends]
    await _generate(inference, "a" * 30, session=session.id)
    assert 0 == inference.accounts.num_unfinished


async def test_a_session_belongs_to_its_model(inference):
    """Another model, or none of that name, is refused."""
    session, _ = await inference.create_session(prompt="Ro", model="other@1", seed=None)
    with pytest.raises(InvalidOption, match=r"belongs to other@1"):
        await inference.start(TextRequest(session=session.id, model="tiny"))
    with pytest.raises(ModelUnknown):
        await inference.start(TextRequest(model="absent"))

    assert "other@1" == (await inference.sessions.get(session.id)).model
    await _generate(inference, session=session.id, model="other")


async def test_log_probabilities_are_those_of_the_shown_tokens(inference):
    """One entry for each, with as many candidates as were asked for."""
    delta = await _generate(inference, "Ro", max_tokens=12, logprobs=3, stream_every=1)

    tokenizer = inference.models.default.tokenizer
    assert delta.text == tokenizer.decode(delta.figures.id_N.tolist())
    assert (12, 3) == delta.figures.top_NM.shape == delta.figures.top_id_NM.shape


async def test_a_drawn_seed_survives_a_reader_of_json(inference):
    """A browser and jq read numbers as doubles, which hold 53 bits."""
    sessions = [await inference.create_session(prompt="", model=None, seed=None) for _ in range(50)]
    seeds = [session.seed for session, _ in sessions]
    for _ in range(50):
        running = await inference.start(TextRequest("Ro", 1))
        seeds.append(running.seed)
        await running.close()

    assert seeds == [int(float(seed)) for seed in seeds]
    assert max(seeds) < 2**53
    assert len(set(seeds)) == 100
