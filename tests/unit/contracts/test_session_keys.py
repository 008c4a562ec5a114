from hypothesis import given
from hypothesis import strategies as st

from contracts.model import ContactId, SessionId
from contracts.session import LOG_PREFIX, contact_session_key, delivery_mark_key, header_key, record_key

numbers = st.integers(1, 9_999_999_999)
SESSION = SessionId("s1")


@given(numbers, numbers)
def test_records_sort_in_the_store_as_they_are_numbered(n: int, m: int) -> None:
    assert (record_key(SESSION, n).sk < record_key(SESSION, m).sk) == (n < m)


def test_the_items_of_a_session_share_a_partition_and_only_records_have_the_log_prefix() -> None:
    keys = (header_key(SESSION), delivery_mark_key(SESSION), record_key(SESSION, 1))
    assert {key.pk for key in keys} == {"session#s1"}
    assert [key.sk.startswith(LOG_PREFIX) for key in keys] == [False, False, True]


def test_a_contact_has_a_partition_of_its_own() -> None:
    key = contact_session_key(ContactId("c1"), SESSION)
    assert (key.pk, key.sk) == ("contact#c1", "session#s1")
