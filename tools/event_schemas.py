"""Writes the events' schemas for EventBridge's registry: `python -m tools.event_schemas`, or `--check`.

The registry takes JSON Schema of draft 4, pydantic writes draft 2020-12: definitions have another name, an
exclusive bound is a flag beside the bound, and a constant is a list of one.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from pydantic import JsonValue

from contracts.events import EVENTS, Event

FOLDER = Path("infra/terraform/modules/events/schemas")
_BOUNDS = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}
_UNKNOWN = frozenset({"discriminator", "prefixItems"})
"""What draft 4 does not know and a validator of it would pass over."""


def draft_4(schema: JsonValue) -> JsonValue:
    """The same schema in the words of draft 4."""
    match schema:
        case dict():
            renamed: dict[str, JsonValue] = {}
            for key, value in schema.items():
                renamed |= _member(key, value)
            return renamed
        case list():
            return [draft_4(item) for item in schema]
        case _:
            return schema


def _member(key: str, value: JsonValue) -> dict[str, JsonValue]:
    if key in _UNKNOWN:
        return {}
    if key == "$defs":
        return {"definitions": draft_4(value)}
    if key == "$ref":
        return {key: cast("str", value).replace("#/$defs/", "#/definitions/")}
    if key == "const":
        return {"enum": [value]}
    if key in _BOUNDS and isinstance(value, (int, float)):
        return {_BOUNDS[key]: value, key: True}
    return {key: draft_4(value)}


def render(event: type[Event]) -> str:
    """The schema of an event's detail."""
    schema = cast("dict[str, JsonValue]", draft_4(event.model_json_schema(mode="serialization")))
    return json.dumps({"$schema": "http://json-schema.org/draft-04/schema#", **schema}, indent=1) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Exit code: 1 when `--check` finds a schema stale, missing or left over."""
    wanted = {f"{event.__name__}.json": render(event) for event in EVENTS}
    found = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    if "--check" in arguments:
        if wanted == found:
            return 0
        sys.stderr.write(f"{FOLDER} does not match the events; run `make docs` and commit it\n")
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in found.keys() - wanted.keys():
        (FOLDER / name).unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
