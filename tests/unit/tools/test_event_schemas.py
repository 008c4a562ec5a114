import json

import pytest

from contracts.events import EVENTS, Event, TranscriptSegment
from tools.event_schemas import draft_4, render


@pytest.mark.parametrize("event", EVENTS)
def test_a_schema_has_no_word_that_draft_4_does_not_know(event: type[Event]) -> None:
    text = render(event)
    assert json.loads(text)["$schema"] == "http://json-schema.org/draft-04/schema#"
    assert not [word for word in ('"$defs"', '"const"', '"prefixItems"', "#/$defs/") if word in text]


def test_an_exclusive_bound_becomes_a_flag() -> None:
    assert draft_4({"type": "integer", "exclusiveMinimum": 0}) == {
        "type": "integer",
        "minimum": 0,
        "exclusiveMinimum": True,
    }


def test_a_constant_becomes_a_list_of_one_and_references_follow_their_definitions() -> None:
    schema = json.loads(render(TranscriptSegment))
    assert schema["properties"]["version"]["enum"] == [1]
    assert schema["properties"]["words"]["items"] == {"$ref": "#/definitions/Word"}
    assert "text" in schema["definitions"]["Word"]["properties"]
