import copy
from collections.abc import Iterator
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.trigger.refusal import Reason, Refusal
from services.trigger.request import Choices, Request, decide
from tests.unit.trigger.flow_events import AUDIO, CONTACT_ID, FRAGMENT, STREAM_ARN, flow_event

NOW_MS = 1_571_360_126_500
CHOICES = Choices()
SECRET_CALLBACK = "https://user:password@hooks.example/{contact-id}"


def request(event: object, choices: Choices = CHOICES, invocation: str = "r-1") -> Request:
    decision = decide(event, choices, invocation, NOW_MS)
    assert isinstance(decision, Request), decision
    return decision


def refusal(event: object) -> Refusal:
    decision = decide(event, CHOICES, "r-1", NOW_MS)
    assert isinstance(decision, Refusal)
    return decision


def test_a_good_event_is_a_session() -> None:
    asked = request(flow_event({"dg_model": "nova-3", "dg_callback": SECRET_CALLBACK}))
    header = asked.header
    assert header.contact_id == CONTACT_ID
    assert header.media.stream_arn == STREAM_ARN
    assert header.media.start_fragment_number == FRAGMENT
    assert header.media.start_timestamp_ms == 1_571_360_125_131
    assert header.deepgram_parameters == (("model", "nova-3"), ("tag", "dg_amazonconnect"))
    assert header.requested_at_ms == asked.entry.requested_at_ms == NOW_MS
    assert header.session_id == asked.entry.session_id == asked.event.session_id
    assert asked.event.event_id == f"{header.session_id}.requested"
    assert asked.event.media == header.media
    assert asked.event.context == header.context


def test_the_event_carries_no_callback() -> None:
    asked = request(flow_event({"dg_callback": SECRET_CALLBACK}))
    assert asked.header.callback is not None
    assert "hooks.example" not in asked.event.model_dump_json()
    assert "password" not in repr(asked)


def test_what_a_consumer_may_want_to_know_travels() -> None:
    context = request(flow_event()).event.context
    assert context.instance_arn is not None
    assert context.instance_arn.endswith("9308c2a1")
    assert (context.channel, context.initiation_method, context.language) == ("VOICE", "INBOUND", "en-US")
    assert (context.initial_contact_id, context.previous_contact_id) == (
        "4a573372-1f28-4e26-b97b-00000000aaaa",
        "4a573372-1f28-4e26-b97b-00000000bbbb",
    )
    assert (context.queue_name, context.queue_arn is not None) == ("help", True)


def test_phone_numbers_and_attributes_travel_only_when_chosen() -> None:
    event = flow_event({"plan": "gold", "secret": "1234", "n": 3})
    context = request(event).event.context
    assert (context.customer_endpoint, context.system_endpoint, context.attributes) == (None, None, {})
    choices = Choices(forward_attributes=frozenset({"plan", "n", "absent"}), forward_endpoints=True)
    context = request(event, choices).event.context
    assert (context.customer_endpoint, context.system_endpoint) == ("+441234567890", "+440987654321")
    assert context.attributes == {"plan": "gold"}


def test_a_retried_invocation_is_the_same_session() -> None:
    first = request(flow_event({"dg_model": "nova-3"}), invocation="r-1")
    again = request(flow_event({"dg_model": "nova-3"}), invocation="r-2")
    assert first == again


@pytest.mark.parametrize(
    "other",
    [
        flow_event({"dg_language": "fr"}),
        flow_event({"dg_callback": "https://a.example"}),
        flow_event({"dg_callback": "https://a.example", "dg_callback_method": "put"}),
        flow_event(contact_id="another"),
        flow_event(audio={**AUDIO, "StartFragmentNumber": "1"}),
        flow_event(audio={**AUDIO, "StreamARN": STREAM_ARN.replace("dddd", "eeee")}),
        flow_event({"dgintegrator_enforcerealtime": "true"}),
    ],
)
def test_another_wish_is_another_session(other: object) -> None:
    assert request(other).header.session_id != request(flow_event()).header.session_id


def test_a_load_test_means_a_session_by_each_invocation() -> None:
    event = flow_event({"dgintegrator_enforcerealtime": "true", "dg_callback": "UNSET"})
    sessions = {request(event, invocation=f"r-{i}").header.session_id for i in range(89)}
    assert len(sessions) == 89
    assert request(event).event.pace_realtime


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        "text",
        {},
        {"Name": None},
        {"Name": "contactflowevent"},
        {"Name": "ContactFlowEvent2", "Details": {}},
    ],
)
def test_any_other_event_is_refused(event: object) -> None:
    assert refusal(event).reason is Reason.NOT_A_CONTACT_FLOW_EVENT


@pytest.mark.parametrize("contact_id", [None, "", 7, "a b", "../x", "x" * 129, "a\r\nx: y", "é"])
def test_an_event_without_a_usable_contact_is_refused(contact_id: object) -> None:
    assert refusal(flow_event(contact_id=contact_id)).reason is Reason.MALFORMED_EVENT


def test_a_flow_without_media_streaming_is_told_so() -> None:
    for audio in (None, {}, {**AUDIO, "StreamARN": None}):
        refused = refusal(flow_event(audio=audio))
        assert refused.reason is Reason.NO_MEDIA_STREAM
        assert "Start media streaming" in refused.message
        assert refused.contact_id == CONTACT_ID


@pytest.mark.parametrize(
    "change",
    [
        {"StreamARN": "arn:aws:s3:::bucket"},
        {"StreamARN": 3},
        {"StartFragmentNumber": None},
        {"StartFragmentNumber": "12a"},
        {"StartTimestamp": None},
        {"StartTimestamp": "yesterday"},
        {"StartTimestamp": "١٢٣"},
    ],
)
def test_a_media_stream_that_cannot_be_read_is_refused(change: dict[str, object]) -> None:
    assert refusal(flow_event(audio={**AUDIO, **change})).reason is Reason.MALFORMED_MEDIA_STREAM


def test_a_timestamp_may_be_a_number() -> None:
    assert request(flow_event(audio={**AUDIO, "StartTimestamp": 12})).header.media.start_timestamp_ms == 12


@pytest.mark.parametrize(
    "parameters", [{}, {"action": None}, {"action": ""}, {"action": "start"}, {"other": []}]
)
def test_start_is_the_default_action(parameters: object) -> None:
    assert request(flow_event(parameters=parameters))


@pytest.mark.parametrize("action", ["dance", "Start", 3, [], {}])
def test_an_unknown_action_is_refused(action: object) -> None:
    assert refusal(flow_event(parameters={"action": action})).reason is Reason.UNKNOWN_ACTION


def paths(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict):
        for key, inner in cast("dict[str, object]", value).items():
            yield (*path, key)
            yield from paths(inner, (*path, key))


EVENT = flow_event({"dg_model": "nova-3", "dg_callback": "https://a.example", "plan": "gold"})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(list(paths(EVENT))), JSON)
def test_an_event_with_anything_anywhere_is_answered(path: tuple[str, ...], value: object) -> None:
    event = copy.deepcopy(EVENT)
    inner = event
    for name in path[:-1]:
        inner = cast("dict[str, object]", inner[name])
    inner[path[-1]] = value
    choices = Choices(forward_attributes=frozenset({"plan", "dg_model"}), forward_endpoints=True)
    decision = decide(event, choices, "r-1", NOW_MS)
    if isinstance(decision, Request):
        assert decision.event.model_dump_json()
        assert decision.header.model_dump_json()
