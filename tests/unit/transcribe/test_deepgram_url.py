from urllib.parse import parse_qsl, urlsplit

from services.transcribe.deepgram_url import listen_url

API = "wss://api.deepgram.com/v1/listen"
AUDIO = "encoding=linear16&sample_rate=8000&multichannel=true&channels=2"


def test_the_audio_comes_first_and_then_the_headers_parameters_in_order() -> None:
    url = listen_url(API, [("tag", "b"), ("model", "nova-3"), ("tag", "a")])
    assert url == f"{API}?{AUDIO}&tag=b&model=nova-3&tag=a"


def test_values_are_form_urlencoded() -> None:
    parameters = [("tag", "some multi word\\ tag"), ("replace", "a:ä&b=c"), ("keyterm", "")]
    url = listen_url(API, parameters)
    assert "tag=some+multi+word%5C+tag" in url
    assert parse_qsl(urlsplit(url).query, keep_blank_values=True)[4:] == parameters


def test_a_callback_never_reaches_deepgram() -> None:
    url = listen_url(API, [("callback", "https://user:pass@host/"), ("callback_method", "put"), ("x", "y")])
    assert url == f"{API}?{AUDIO}&x=y"


def test_parameters_that_contradict_the_audio_are_left_out() -> None:
    assert listen_url(API, [("encoding", "opus"), ("channels", "1")]) == f"{API}?{AUDIO}"


def test_an_api_with_a_query_of_its_own_keeps_it() -> None:
    assert listen_url(f"{API}?region=eu", []) == f"{API}?region=eu&{AUDIO}"
