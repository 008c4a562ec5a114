from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.model import ContactId
from contracts.session import Callback, CallbackMethod
from services.trigger.contact import Parameter, Wishes, read_wishes, split
from services.trigger.refusal import Reason, Refused

CONTACT = ContactId("002f61e1-423e-415d-b086-697186514860")
TAG = ("tag", "dg_amazonconnect")
ANY_TEXT = st.text(st.characters(codec=None))
"""Half surrogate pairs included, as JSON allows."""


def wishes(
    attributes: dict[str, object], defaults: tuple[Parameter, ...] = (), callback: str | None = None
) -> Wishes:
    return read_wishes(attributes, CONTACT, defaults, callback)


def reason(attributes: dict[str, object]) -> Reason:
    with pytest.raises(Refused) as refused:
        wishes(attributes)
    return refused.value.refusal.reason


def test_the_escapes_of_the_documented_vector() -> None:
    value = r"someTag1 some\ multi\ word\ tag some\\\ Tag2 some\Tag3 some\\\Tag4 some\\\\Tag5"
    assert wishes({"dg_tag": value}).parameters == (
        ("tag", "someTag1"),
        ("tag", "some multi word tag"),
        ("tag", r"some\ Tag2"),
        ("tag", r"some\Tag3"),
        ("tag", r"some\\Tag4"),
        ("tag", r"some\\Tag5"),
        TAG,
    )


@pytest.mark.parametrize(
    ("attributes", "query"),
    [
        ({"dg_model": "nova"}, "model=nova&tag=dg_amazonconnect"),
        ({"dg_tag": "someTag someOtherTag"}, "tag=someTag&tag=someOtherTag&tag=dg_amazonconnect"),
        (
            {"dg_model": "nova", "dg_tag": "someTag someOtherTag", "dg_smart_format": "true"},
            "model=nova&tag=someTag&tag=someOtherTag&tag=dg_amazonconnect&smart_format=true",
        ),
        ({}, "tag=dg_amazonconnect"),
    ],
)
def test_the_documented_examples_give_the_documented_query_strings(
    attributes: dict[str, object], query: str
) -> None:
    assert urlencode(wishes(attributes).parameters) == query


@pytest.mark.parametrize(
    ("value", "elements"),
    [
        ("", [""]),
        ("a", ["a"]),
        ("a b", ["a", "b"]),
        ("a  b", ["a", "", "b"]),
        ("a\tb,c", ["a\tb,c"]),
        ("\\", ["\\"]),
        (r"a\ b", ["a b"]),
        (r"a\\ b", ["a\\", "b"]),
        (r"a\\\ b", [r"a\ b"]),
        ("a\u00a0b", ["a\u00a0b"]),
    ],
)
def test_only_the_single_space_splits(value: str, elements: list[str]) -> None:
    assert split(value) == elements


def test_the_value_is_stripped_before_its_escapes_are_read() -> None:
    assert wishes({"dg_search": "foo\\ "}).parameters[0] == ("search", "foo\\")


@pytest.mark.parametrize("value", ["UNSET", "unset", " Unset\t"])
def test_an_unset_attribute_is_as_if_it_had_never_been_set(value: str) -> None:
    assert wishes({"dg_model": value}, (("model", "nova-3"),)).parameters == (("model", "nova-3"), TAG)


def test_unset_beside_another_value_is_a_value() -> None:
    assert wishes({"dg_keywords": "unset a"}).parameters[:2] == (("keywords", "unset"), ("keywords", "a"))


def test_an_empty_value_stays_a_parameter() -> None:
    assert wishes({"dg_redact": ""}).parameters == (("redact", ""), TAG)


def test_the_order_of_the_attributes_is_kept() -> None:
    parameters = wishes({"dg_b": "1", "x": "2", "dg_a": "3 4"}).parameters
    assert parameters == (("b", "1"), ("a", "3"), ("a", "4"), TAG)


def test_the_prefix_is_case_sensitive() -> None:
    assert wishes({"DG_model": "nova", "Dg_x": "1", "dgmodel": "nova"}).parameters == (TAG,)


def test_the_tag_is_not_added_twice() -> None:
    assert wishes({"dg_tag": "dg_amazonconnect mine"}).parameters == (TAG, ("tag", "mine"))


def test_a_parameter_of_the_flow_replaces_every_default_of_its_name() -> None:
    defaults = (("keyterm", "a"), ("model", "nova-2"), ("keyterm", "b"))
    assert wishes({"dg_keyterm": "c"}, defaults).parameters == (("model", "nova-2"), ("keyterm", "c"), TAG)


@pytest.mark.parametrize("name", ["encoding", "sample_rate", "multichannel", "channels"])
def test_a_parameter_of_the_audio_is_forbidden(name: str) -> None:
    assert reason({f"dg_{name}": "1"}) is Reason.FORBIDDEN_PARAMETER
    assert wishes({f"dg_{name}": "UNSET"}).parameters == (TAG,)


@pytest.mark.parametrize("model", ["flux-general-en", "Flux-General-EN"])
def test_a_mono_model_is_refused(model: str) -> None:
    assert reason({"dg_model": model}) is Reason.UNSUPPORTED_MODEL


@pytest.mark.parametrize("value", [None, 1, ["a"], {"a": "b"}, "half a pair: \ud800"])
def test_an_attribute_that_is_not_text_is_refused(value: object) -> None:
    assert reason({"dg_model": value}) is Reason.MALFORMED_ATTRIBUTE


def test_an_attribute_of_others_may_be_anything() -> None:
    assert wishes({"plan": None, "n": 3, "odd": "\ud800"}).parameters == (TAG,)


@pytest.mark.parametrize(
    ("value", "paced"), [("true", True), ("TRUE", False), ("false", False), ("1", False)]
)
def test_pacing_is_asked_for_by_one_word(value: str, *, paced: bool) -> None:
    asked = wishes({"dgintegrator_enforcerealtime": value})
    assert asked.pace_realtime is paced
    assert asked.parameters == (TAG,)


def test_every_contact_id_in_the_callback_is_replaced_and_nowhere_else() -> None:
    asked = wishes(
        {"dg_callback": "https://a.example/{contact-id}?c={contact-id}", "dg_extra": "id:{contact-id}"}
    )
    assert asked.callback == Callback(url=f"https://a.example/{CONTACT}?c={CONTACT}")
    assert asked.parameters == (("extra", "id:{contact-id}"), TAG)


@pytest.mark.parametrize("value", [None, "UNSET"])
def test_without_a_callback_the_default_is_taken(value: str | None) -> None:
    attributes: dict[str, object] = {} if value is None else {"dg_callback": value}
    assert wishes(attributes).callback is None
    assert wishes(attributes, callback="https://d.example/{contact-id}").callback == Callback(
        url=f"https://d.example/{CONTACT}"
    )


@pytest.mark.parametrize(
    "attributes",
    [{"dg_callback": " "}, {"dg_callback": "UNSET", "dgintegrator_enforcerealtime": "true"}],
    ids=["told-so", "load-test"],
)
def test_a_session_can_be_without_any_callback(attributes: dict[str, object]) -> None:
    assert wishes(attributes, callback="https://d.example").callback is None


def test_more_parameters_than_connect_has_attributes_are_refused() -> None:
    assert reason({"dg_keyterm": "a " * 70_000}) is Reason.MALFORMED_ATTRIBUTE


@pytest.mark.parametrize(
    ("method", "expected"), [("put", "PUT"), ("PUT", "PUT"), ("post", "POST"), ("", "POST")]
)
def test_the_callbacks_method(method: str, expected: str) -> None:
    asked = wishes({"dg_callback": "https://a.example", "dg_callback_method": method})
    assert asked.callback == Callback(url="https://a.example", method=CallbackMethod(expected))
    assert asked.parameters == (TAG,)


def test_an_unknown_method_is_refused() -> None:
    attributes: dict[str, object] = {"dg_callback": "https://a.example", "dg_callback_method": "patch"}
    assert reason(attributes) is Reason.UNKNOWN_CALLBACK_METHOD


def test_several_callbacks_are_refused() -> None:
    assert reason({"dg_callback": "https://a.example https://b.example"}) is Reason.SEVERAL_CALLBACKS


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.example",
        "a.example/path",
        "https://",
        "https:///path",
        "https://:443/",
        "https://.",
        "https://a..example/",
        "https://a.example:0/",
        f"https://{'a' * 64}.example/",
        f"https://{'ä' * 60}.example/",
        f"https://{'a.' * 126}ab/",
        f"https://[fe80::1%{'a' * 250}]/",
        "https://a.example/\u00a0x",
        "https://a.example/\u2028x",
        "https://a.example:99999/",
        "https://a.example:port/",
        "https://[::1/",
        "https://a.example/\nx",
        "https://a.example\\@b.example/",
        r"https://a.example/with\ space",
        "javascript:alert(1)",
        "https://a.example/" + "x" * 2_048,
    ],
)
def test_a_callback_that_cannot_be_used_is_refused(url: str) -> None:
    assert reason({"dg_callback": url}) is Reason.UNUSABLE_CALLBACK


LONGEST = f"https://{'a' * 63}.{'ä' * 50}.{'a.' * 64}a./"


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1:8080/x", "wss://u:p@a.example", "https://[2001:db8::1]/", "HTTPS://A", LONGEST]
)
def test_a_callback_that_can_be_used_is_kept_as_written(url: str) -> None:
    asked = wishes({"dg_callback": url})
    assert asked.callback is not None
    assert asked.callback.url == url


def escape(element: str) -> str:
    return element.replace("\\", "\\\\").replace(" ", "\\ ")


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_what_is_escaped_comes_back_and_survives_form_encoding(elements: list[str]) -> None:
    assert split(" ".join(map(escape, elements))) == elements
    query = urlencode([("k", element) for element in elements])
    assert [value for _, value in parse_qsl(query, keep_blank_values=True)] == elements


@given(st.text())
def test_no_character_of_an_unescaped_value_is_lost(value: str) -> None:
    stripped = value.strip().replace("\\", "/")
    assert " ".join(split(stripped)) == stripped


@given(
    st.dictionaries(
        ANY_TEXT | ANY_TEXT.map("dg_".__add__) | st.just("dg_callback"), ANY_TEXT | st.none(), max_size=4
    )
)
def test_any_attributes_give_wishes_or_a_refusal(attributes: dict[str, object]) -> None:
    try:
        asked = wishes(attributes)
    except Refused:
        return
    assert asked.parameters.count(TAG) == 1
    assert urlencode(asked.parameters)
