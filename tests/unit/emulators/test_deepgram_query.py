import pytest

from emulators.deepgram.query import DEFAULT_ENDPOINTING_MS, Query, Refusal, parse_query

GOOD = "/v1/listen?encoding=linear16&sample_rate=8000&channels=2&multichannel=true"


def query(more: str = "") -> Query:
    found = parse_query(GOOD + more)
    assert isinstance(found, Query)
    return found


def test_a_two_channel_stream_is_accepted() -> None:
    found = query()
    assert (found.channels, found.sample_rate_hz, found.encoding) == (2, 8000, "linear16")
    assert not found.interim_results
    assert found.endpointing_ms == DEFAULT_ENDPOINTING_MS
    assert found.utterance_end_ms is None


def test_unknown_and_repeated_parameters_are_kept_in_order() -> None:
    found = query("&tag=a&brand_new=x&tag=b%20c&empty=")
    assert found.parameters[4:] == (("tag", "a"), ("brand_new", "x"), ("tag", "b c"), ("empty", ""))
    assert found.tags() == ("a", "b c")


@pytest.mark.parametrize(("value", "expected"), [("300", 300), ("false", None), ("true", 10), ("0", 0)])
def test_endpointing_is_a_time_or_a_switch(value: str, expected: int | None) -> None:
    assert query(f"&endpointing={value}").endpointing_ms == expected


def test_smart_format_punctuates() -> None:
    assert query("&smart_format=true").punctuate
    assert query("&punctuate=true").punctuate
    assert not query("&punctuate=false").punctuate


@pytest.mark.parametrize(
    "target",
    [
        "/v1/listen?encoding=opus&sample_rate=8000",
        "/v1/listen?encoding=linear16",
        "/v1/listen?encoding=linear16&sample_rate=eight",
        "/v1/listen?encoding=linear16&sample_rate=44100",
        "/v1/listen?encoding=linear16&sample_rate=8000&channels=2",
        "/v1/listen?encoding=linear16&sample_rate=8000&channels=3&multichannel=true",
        "/v1/listen?encoding=linear16&sample_rate=8000&channels=0",
        GOOD + "&interim_results=True",
        GOOD + "&model=flux-general-en",
        GOOD + "&endpointing=soon",
        GOOD + "&utterance_end_ms=1000",
        GOOD + "&utterance_end_ms=500&interim_results=true",
    ],
)
def test_what_deepgram_refuses_is_refused_with_a_reason(target: str) -> None:
    found = parse_query(target)
    assert isinstance(found, Refusal)
    assert found.status == 400
    assert found.message


def test_a_reason_that_quotes_the_query_cannot_break_out_of_its_header() -> None:
    found = parse_query("/v1/listen?encoding=a%0d%0aset-cookie:b&sample_rate=8000")
    assert isinstance(found, Refusal)
    assert found.message.isprintable()


def test_other_paths_are_not_there() -> None:
    found = parse_query("/v2/listen?model=flux-general-en")
    assert isinstance(found, Refusal)
    assert found.status == 404
