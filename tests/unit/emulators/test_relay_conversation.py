from emulators.relay.conversation import Conversation, Error, Fate, refusal

REQUEST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789"
THROTTLED = Error(400, "ThrottlingException")


def test_what_passes_is_passed_piece_by_piece() -> None:
    talk = Conversation()
    assert talk.begins()
    talk.begin(Fate.PASS)
    assert talk.client(REQUEST[:20], THROTTLED) == (REQUEST[:20], b"")
    assert not talk.begins()
    assert talk.client(REQUEST[20:], THROTTLED) == (REQUEST[20:], b"")
    assert talk.server()
    assert talk.begins()


def test_a_failed_request_is_answered_when_it_is_complete_and_never_passed_on() -> None:
    talk = Conversation()
    talk.begin(Fate.FAIL)
    for at in range(len(REQUEST) - 1):
        assert talk.client(REQUEST[at : at + 1], THROTTLED) == (b"", b"")
    onward, back = talk.client(REQUEST[-1:], THROTTLED)
    assert onward == b""
    assert back == refusal(THROTTLED)
    assert talk.begins()


def test_the_answer_to_a_lost_request_is_for_nobody() -> None:
    talk = Conversation()
    talk.begin(Fate.LOSE)
    assert talk.client(REQUEST, THROTTLED) == (REQUEST, b"")
    assert not talk.server()


def test_a_refusal_says_how_long_it_is() -> None:
    head, _, body = refusal(THROTTLED).partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b'"__type": "ThrottlingException"' in body
