import copy
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.model import ContactId
from services.trigger import intents
from services.trigger.contact_event import ContactEvent, read_contact_event

ARN = "arn:aws:connect:eu-west-2:111111111111:instance/9308c2a1"
AT_MS = 1_571_360_125_000


def event(kind: str = "DISCONNECTED", **detail: object) -> dict[str, object]:
    return {
        "version": "0",
        "detail-type": "Amazon Connect Contact Event",
        "source": "aws.connect",
        "time": "2019-10-18T00:55:27Z",
        "resources": [f"{ARN}/contact/c-2", ARN],
        "detail": {
            "eventType": kind,
            "contactId": "c-2",
            "initialContactId": "c-2",
            "previousContactId": "c-2",
            "channel": "VOICE",
            "disconnectTimestamp": "2019-10-18T00:55:25Z",
            **detail,
        },
    }


def read(of: object) -> ContactEvent:
    heard = read_contact_event(of)
    assert heard is not None
    return heard


def test_a_disconnect_names_its_moment() -> None:
    assert read(event()) == ContactEvent(ContactId("c-2"), (), AT_MS)
    assert read(event(disconnectTimestamp=None)).disconnected_at_ms == AT_MS + 2_000
    assert read(event(disconnectTimestamp="2019-10-18T00:55:25")).disconnected_at_ms == AT_MS
    assert read(event(disconnectTimestamp="2019-10-18T02:55:25.5+02:00")).disconnected_at_ms == AT_MS + 500


def test_any_other_event_of_a_contact_is_no_end() -> None:
    assert read(event("INITIATED")).disconnected_at_ms is None
    assert read(event("SOMETHING_NEW")).changes == ()


def test_a_transferred_contact_belongs_to_those_before_it() -> None:
    heard = read(event("INITIATED", previousContactId="c-1", initialContactId="c-0"))
    assert heard.predecessors == ("c-1", "c-0")
    for contact_id, change in heard.changes:
        assert change(intents.none_yet(contact_id)).accepted_contact_ids == ("c-2",)


def test_the_end_of_a_transferred_contact_is_known_to_those_before_it() -> None:
    heard = read(event(previousContactId="c-1"))
    changes = dict(heard.changes)
    assert set(changes) == {"c-1", "c-2"}
    before = intents.disconnected(intents.none_yet(ContactId("c-1")), ContactId("c-1"), AT_MS - 5)
    assert changes[ContactId("c-1")](before).ended_at_ms == AT_MS


@pytest.mark.parametrize(
    "other",
    [
        None,
        [],
        {},
        {**event(), "source": "mine"},
        {**event(), "detail-type": "Other"},
        {**event(), "detail": None},
        event(contactId=None),
        event(contactId="../x"),
        event(channel="CHAT"),
    ],
)
def test_what_is_no_voice_contacts_event_is_nothing_to_us(other: object) -> None:
    assert read_contact_event(other) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(["source", "time", "detail", *cast("dict[str, object]", event()["detail"])]), JSON)
def test_an_event_with_anything_anywhere_never_raises(name: str, value: object) -> None:
    odd = copy.deepcopy(event())
    inner = odd if name in odd else cast("dict[str, object]", odd["detail"])
    inner[name] = value
    read_contact_event(odd)
