"""What a scrape sees of an application that has done something of everything."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from service.observability.aliases import NAMES
from service.observability.metrics import Metrics
from tests.service.observability.scraped import (
    OPEN_METRICS,
    application,
    families,
    scrape,
    use,
)

MODEL = ("model", "tiny@1")


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """One that was used once."""
    folder = tmp_path_factory.mktemp("metrics")
    settings = {"max_rows": 4, "session_store": "memory://", "metrics_vllm_names": True}
    with application(folder, **settings) as client:
        use(client)
        yield client


@pytest.fixture(scope="module")
def series(client):
    """What it tells then."""
    return scrape(client)


def test_requests_are_counted_by_their_outcome(series):
    """Of texts; those that have not happened are there, at 0."""
    outcomes = {
        dict(labels)["outcome"]: value
        for (name, labels), value in series.items()
        if name == "lstm_serve_requests_total"
    }

    assert {"length": 3, "stop": 1, "eos": 0, "parked": 0, "left": 0, "failed": 0} == outcomes


def test_tokens_in_are_those_that_were_read_and_those_that_were_saved(series):
    """The same prompt of 19 tokens three times: the cache saves two of the readings."""
    value = {name: value for (name, labels), value in series.items() if labels == (MODEL,)}

    assert 38 == value["lstm_serve_cache_saved_tokens_total"]
    assert 19 * 3 + 2 == value["lstm_serve_prompt_tokens_total"]
    assert value["lstm_serve_written_tokens_total"] >= 3 * 40 + 1
    assert value["lstm_serve_read_tokens_total"] >= 19 + 2
    assert 1 == value["lstm_serve_cached_prompts"]
    assert 4 == value["lstm_serve_rows"]
    assert 1 == value["lstm_serve_engine_up"]


def test_every_request_has_its_times(series):
    """Queue and reading of the four texts and of the session's prompt; first events of texts."""
    value = {name: value for (name, labels), value in series.items() if labels == (MODEL,)}

    assert 5 == value["lstm_serve_queue_seconds_count"]
    assert 5 == value["lstm_serve_read_seconds_count"]
    assert 4 == value["lstm_serve_write_seconds_count"]
    assert 4 == value["lstm_serve_time_to_first_event_seconds_count"]
    assert 4 == value["lstm_serve_request_seconds_count"]
    assert value["lstm_serve_time_to_first_event_seconds_sum"] > 0
    assert value["lstm_serve_request_seconds_sum"] >= value["lstm_serve_write_seconds_sum"] / 2


def test_bursts_are_counted_by_what_they_do(series):
    """As many of each in every histogram, and never more rows than there are."""
    for kind in ("read", "write"):
        labels = (("kind", kind), MODEL)
        number = series["lstm_serve_burst_seconds_count", labels]
        assert number > 0
        for name in ("rows", "steps", "fill_ratio"):
            assert number == series[f"lstm_serve_burst_{name}_count", labels]
        full = (("kind", kind), ("le", "1.0"), MODEL)
        assert number == series["lstm_serve_burst_fill_ratio_bucket", full]


def test_gaps_of_tokens_add_up_to_those_of_events(series):
    """Each event's time is divided among its tokens."""
    value = {name: value for (name, labels), value in series.items() if labels == (MODEL,)}

    events, tokens = (value[f"lstm_serve_{kind}_gap_seconds_sum"] for kind in ("event", "token"))
    assert pytest.approx(events) == tokens
    assert (
        value["lstm_serve_event_gap_seconds_count"] <= value["lstm_serve_token_gap_seconds_count"]
    )


def test_sessions_are_counted_with_their_ends_and_conflicts(series):
    """By the kind of the store."""
    store = ("store", "memory")

    assert 0 == series["lstm_serve_sessions", (store,)]
    assert 1 == series["lstm_serve_session_store_up", (store,)]
    assert 1 == series["lstm_serve_sessions_ended_total", (("reason", "deleted"), store)]
    assert 0 == series["lstm_serve_sessions_ended_total", (("reason", "evicted"), store)]
    assert 1 == series["lstm_serve_session_conflicts_total", (("reason", "changed"), store)]


def test_http_is_counted_by_pattern(client, series):
    """What nobody serves is one route, and a method that nobody knows is one method."""
    client.request("BREW", "/coffee/with/words/of/a/user")
    labels = [
        dict(labels) for name, labels in scrape(client) if name == "lstm_serve_http_requests_total"
    ]

    assert {"method": "DELETE", "route": "/sessions/{session_id}", "status": "204"} in labels
    assert {"method": "other", "route": "unmatched", "status": "405"} in labels or {
        "method": "other",
        "route": "unmatched",
        "status": "404",
    } in labels
    assert not any("coffee" in str(each) for each in labels)


def test_info_is_there(series):
    """Of the program and of the model."""
    found = {name: dict(labels) for name, labels in series if name.endswith("_info")}

    assert {"version", "python", "onnxruntime"} == set(found["lstm_serve_build_info"])
    assert "1" == found["lstm_serve_model_info"]["version"]
    assert "true" == found["lstm_serve_model_info"]["default"]


def test_names_are_those_that_prometheus_recommends(client):
    """Units are base units, counters are totals; nothing is said twice."""
    found = families(client)
    ours = [family for family in found if family.name.startswith("lstm_serve_")]
    times = Counter(family.name for family in found)

    assert [] == [name for name, number in times.items() if number > 1]
    assert len(ours) >= 30
    for family in ours:
        assert family.documentation.endswith((".", "1."))
        assert not family.name.endswith(("_ms", "_count", "_created"))
        if family.type == "counter":
            assert all(sample.name.endswith("_total") for sample in family.samples)


def test_open_metrics_says_the_same(tmp_path):
    """To who asks for it; its parser is strict."""
    with application(tmp_path, session_store="memory://") as client:
        names = {family.name for family in families(client, accept=OPEN_METRICS)}
        assert {family.name for family in families(client)} == names


def test_names_of_vllm_keep_their_colons(client):
    """Whatever format is asked for: Prometheus asks for OpenMetrics."""
    answer = client.get("/metrics", headers={"accept": OPEN_METRICS})

    assert "\nvllm:num_requests_running{" in answer.text
    assert "vllm_" not in answer.text


def test_names_of_vllm_say_the_same(series):
    """With their labels."""
    theirs = (("engine", "0"), ("model_name", "tiny@1"))

    for ours, alias in NAMES.items():
        if alias == "vllm:request_success":
            continue
        for end in ("", "_total", "_count", "_sum"):
            if (ours + end, (MODEL,)) in series:
                assert series[ours + end, (MODEL,)] == series[alias + end, theirs]
                break
        else:
            pytest.fail(f"{ours} is not there")
    success = ("vllm:request_success_total", (theirs[0], ("finished_reason", "stop"), theirs[1]))
    assert 1 == series[success]
    assert 3 + 19 * 3 - 1 == series["vllm:prefix_cache_queries_total", theirs]


def test_names_of_vllm_are_off_unless_asked_for(tmp_path):
    """They are not ours."""
    with application(tmp_path, session_store="memory://") as client:
        assert [] == [name for name, _ in scrape(client) if name.startswith("vllm")]


def test_metrics_can_be_off(tmp_path):
    """Then there is no such route."""
    with application(tmp_path, session_store="memory://", metrics=False) as client:
        assert 404 == client.get("/metrics").status_code
        assert 200 == client.post("/generate", json={"prompt": "a"}).status_code
        assert "/metrics" not in client.get("/openapi.json").json()["paths"]


def test_two_applications_share_nothing(tmp_path):
    """What one of them does the other one does not count."""
    with (
        application(tmp_path, session_store="memory://") as first,
        application(tmp_path, session_store="memory://") as second,
    ):
        use(first)
        assert 0 == scrape(second)["lstm_serve_requests_total", (MODEL, ("outcome", "length"))]


def test_several_texts_of_one_request_are_counted_each_once(tmp_path):
    """Also those that `best_of` does not choose; what is refused has none."""
    with application(tmp_path, session_store="memory://") as client:
        body = {"prompt": "To be", "max_tokens": 20, "seed": 1}
        best = client.post("/generate", json={**body, "n": 2, "best_of": 3})
        streamed = client.post("/generate", json={**body, "n": 2, "stream": True})
        refused = client.post("/generate", json={**body, "n": 2, "best_of": 1})
        assert [200, 200, 422] == [each.status_code for each in (best, streamed, refused)]
        series = scrape(client)

    texts = {
        labels: value
        for (name, labels), value in series.items()
        if name == "lstm_serve_requests_total" and value
    }
    assert {(MODEL, ("outcome", "length")): 5} == texts
    for name in ("queue", "read", "write", "time_to_first_event", "request"):
        assert 5 == series[f"lstm_serve_{name}_seconds_count", (MODEL,)]


async def test_scrapes_at_the_same_time_are_one():
    """Whoever asks while another is answered gets the same bytes; the next one does not."""
    metrics = Metrics()
    first, second = await asyncio.gather(metrics.scrape(""), metrics.scrape(""))
    metrics.http("GET", "/", 200, 0.1)
    third = await metrics.scrape("")

    assert first[0] is second[0]
    assert b'route="/"' in third[0]
    assert b'route="/"' not in first[0]


async def test_a_scrape_outlives_who_has_asked_for_it():
    """A client that leaves takes the answer away from nobody."""
    metrics = Metrics()
    leaving = asyncio.ensure_future(metrics.scrape(""))
    staying = asyncio.ensure_future(metrics.scrape(""))
    await asyncio.sleep(0)
    leaving.cancel()

    assert b"lstm_serve_build_info" in (await staying)[0]
