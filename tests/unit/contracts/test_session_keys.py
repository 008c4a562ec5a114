from hypothesis import given
from hypothesis import strategies as st

from contracts.model import ContactId, SessionId
from contracts.session import (
    LOG_PREFIX,
    OPEN_SHARDS,
    contact_session_key,
    delivery_mark_key,
    header_key,
    open_before,
    open_partition,
    open_session_key,
    record_key,
)

numbers = st.integers(1, 9_999_999_999)
SESSION = SessionId("s1")


@given(numbers, numbers)
def test_records_sort_in_the_store_as_they_are_numbered(n: int, m: int) -> None:
    assert (record_key(SESSION, n).sk < record_key(SESSION, m).sk) == (n < m)


def test_the_items_of_a_session_share_a_partition_and_only_records_have_the_log_prefix() -> None:
    keys = (header_key(SESSION), delivery_mark_key(SESSION), record_key(SESSION, 1))
    assert {key.pk for key in keys} == {"session#s1"}
    assert [key.sk.startswith(LOG_PREFIX) for key in keys] == [False, False, True]


@given(st.integers(0, 9_999_999_999_999), st.integers(0, 9_999_999_999_999), st.uuids())
def test_open_sessions_sort_by_the_time_of_their_request(at_ms: int, before_ms: int, name: object) -> None:
    key = open_session_key(SessionId(str(name)), at_ms)
    assert (key.sk < open_before(before_ms)) == (at_ms < before_ms)


def test_open_sessions_are_spread_over_all_partitions() -> None:
    partitions = {open_session_key(SessionId(f"s{n}"), 1).pk for n in range(50 * OPEN_SHARDS)}
    assert partitions == {open_partition(shard) for shard in range(OPEN_SHARDS)}


def test_a_contact_has_a_partition_of_its_own() -> None:
    key = contact_session_key(ContactId("c1"), SESSION)
    assert (key.pk, key.sk) == ("contact#c1", "session#s1")
