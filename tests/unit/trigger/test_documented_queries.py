"""From contact attributes to Deepgram's query, as the guide of the old integration documents it."""

import pytest

from contracts.model import ContactId
from services.transcribe.deepgram_url import listen_url
from services.trigger.contact import read_wishes

API = "wss://api.deepgram.com/v1/listen"
AUDIO = "encoding=linear16&sample_rate=8000&multichannel=true&channels=2"
VECTOR = (
    "tag=someTag1&tag=some+multi+word+tag&tag=some%5C+Tag2&tag=some%5CTag3&tag=some%5C%5CTag4"
    "&tag=some%5C%5CTag5"
)
CONTACT = ContactId("002f61e1-423e-415d-b086-697186514860")


@pytest.mark.parametrize(
    ("attributes", "query"),
    [
        ({}, "tag=dg_amazonconnect"),
        ({"dg_model": "nova"}, "model=nova&tag=dg_amazonconnect"),
        ({"dg_tag": "someTag someOtherTag"}, "tag=someTag&tag=someOtherTag&tag=dg_amazonconnect"),
        (
            {
                "dg_model": "nova",
                "dg_tag": "someTag someOtherTag",
                "dg_callback": "https://example.com/{contact-id}",
            },
            "model=nova&tag=someTag&tag=someOtherTag&tag=dg_amazonconnect",
        ),
        (
            {"dg_tag": r"someTag1 some\ multi\ word\ tag some\\\ Tag2 some\Tag3 some\\\Tag4 some\\\\Tag5"},
            f"{VECTOR}&tag=dg_amazonconnect",
        ),
        ({"dg_callback": "UNSET", "dgintegrator_enforcerealtime": "true"}, "tag=dg_amazonconnect"),
        ({"dg_newer": "a&b=c é"}, "newer=a%26b%3Dc&newer=%C3%A9&tag=dg_amazonconnect"),
    ],
)
def test_the_documented_attributes_give_the_documented_query(
    attributes: dict[str, object], query: str
) -> None:
    wishes = read_wishes(attributes, CONTACT)
    assert listen_url(API, wishes.parameters) == f"{API}?{AUDIO}&{query}"


def test_the_contacts_id_stands_in_the_documented_callback() -> None:
    wishes = read_wishes({"dg_callback": "https://example.com/{contact-id}"}, CONTACT)
    assert wishes.callback is not None
    assert wishes.callback.url == f"https://example.com/{CONTACT}"
