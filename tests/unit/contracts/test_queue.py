from contracts.model import ContactId, SessionId
from contracts.queue import TranscriptMessage


def message(n: int, k: int) -> TranscriptMessage:
    return TranscriptMessage(
        session_id=SessionId("s"),
        contact_id=ContactId("c"),
        epoch=1,
        n=n,
        k=k,
        kind="x",
        message="{}",
        received_at_ms=0,
    )


def test_a_logged_message_is_identified_by_its_record_alone() -> None:
    assert message(4, 0).webhook_id == "s-4"


def test_an_unlogged_message_is_identified_by_the_record_before_it_and_its_count() -> None:
    assert message(4, 2).webhook_id == "s-4-2"


def test_sequences_grow_as_messages_are_ordered() -> None:
    ordered = [message(4, 0), message(4, 1), message(4, 2), message(5, 0)]
    assert [m.sequence for m in ordered] == [4_000_000, 4_000_001, 4_000_002, 5_000_000]


def test_the_transcript_is_not_in_the_representation() -> None:
    assert "secret words" not in repr(message(1, 0).model_copy(update={"message": "secret words"}))
