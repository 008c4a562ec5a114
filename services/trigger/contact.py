r"""What a contact's attributes ask of Deepgram: the rules that existing contact flows rely on.

An attribute `dg_<name>` is the parameter `<name>`. Its value is stripped, ignored when it then is `unset` in
any case, and split on single spaces: each element is one value of a repeated parameter. `\ ` is a space
inside an element and `\\` a backslash; any other backslash stands for itself.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from contracts.model import ContactId
from contracts.session import Callback
from services.trigger.callback import read_callback
from services.trigger.refusal import Reason, Refused
from services.trigger.text import is_text

type Parameter = tuple[str, str]

PREFIX = "dg_"
UNSET = "unset"
TAG = "dg_amazonconnect"
"""Value of `tag` that names this integration in Deepgram's usage reports."""
PACE_ATTRIBUTE = "dgintegrator_enforcerealtime"
FORBIDDEN = frozenset({"encoding", "sample_rate", "multichannel", "channels"})
"""The audio that is sent has one form only, and the service that sends it says so itself."""
OURS = frozenset({"callback", "callback_method"})
"""Never sent to Deepgram: transcripts are delivered from the session's log, in order."""
MONO_MODELS = "flux-"
"""Prefix of models that take one channel only, on another path of the API (Deepgram: `/v2/listen`)."""
MAX_CHARACTERS = 65_536
"""Of all parameters together; Connect allows 32 KB of attributes."""
_PIECE = re.compile(r"\\([ \\])|( )|([^ \\]+|\\)")
"""An escape, a separator, or what stands for itself."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the attributes and the operator's defaults ask for."""

    parameters: tuple[Parameter, ...]
    """For Deepgram, in order, repeated names allowed."""
    callback: Callback | None
    pace_realtime: bool


def read_wishes(
    attributes: Mapping[str, object],
    contact_id: ContactId,
    defaults: Sequence[Parameter] = (),
    default_callback: str | None = None,
) -> Wishes:
    """Reads the attributes; a default counts where the flow has not set its parameter.

    The default callback is not for the copies of a load test, which are many and paced.

    Raises:
        Refused: the session could not work as asked.
    """
    asked = dict(_split_attributes(attributes))
    wanted: dict[str, list[str]] = {}
    for name, value in defaults:
        if name not in asked:
            wanted.setdefault(name, []).append(value)
    wanted.update(asked)
    _refuse_what_cannot_work(wanted)
    pace_realtime = attributes.get(PACE_ATTRIBUTE) == "true"
    callback = read_callback(
        wanted.get("callback", []),
        wanted.get("callback_method", []),
        None if pace_realtime else default_callback,
        contact_id,
    )
    _add_tag(wanted)
    return Wishes(
        parameters=tuple(
            (name, value) for name, values in wanted.items() if name not in OURS for value in values
        ),
        callback=callback,
        pace_realtime=pace_realtime,
    )


def split(value: str) -> list[str]:
    """The elements of a stripped attribute value; at least one.

    A backslash before anything but a space or a backslash stays, as one at the end does.
    """
    elements: list[list[str]] = [[]]
    for escaped, separator, plain in _PIECE.findall(value):
        if separator:
            elements.append([])
        else:
            elements[-1].append(escaped or plain)
    return ["".join(pieces) for pieces in elements]


def _split_attributes(attributes: Mapping[str, object]) -> Iterator[tuple[str, list[str]]]:
    for key, value in attributes.items():
        if not key.startswith(PREFIX):
            continue
        if not is_text(key) or not isinstance(value, str) or not is_text(value):
            raise Refused(
                Reason.MALFORMED_ATTRIBUTE,
                "A dg_ attribute is not text; set every dg_ attribute to a string.",
            )
        stripped = value.strip()
        if stripped.lower() != UNSET:
            yield key.removeprefix(PREFIX), split(stripped)


def _refuse_what_cannot_work(wanted: Mapping[str, Sequence[str]]) -> None:
    if sum(len(name) + len(value) for name, values in wanted.items() for value in values) > MAX_CHARACTERS:
        raise Refused(
            Reason.MALFORMED_ATTRIBUTE, f"The dg_ attributes are longer than {MAX_CHARACTERS} characters."
        )
    for name in sorted(FORBIDDEN & wanted.keys()):
        raise Refused(
            Reason.FORBIDDEN_PARAMETER,
            f"dg_{name} must not be set: the audio's format is fixed; remove it from the flow.",
        )
    if any(model.lower().startswith(MONO_MODELS) for model in wanted.get("model", ())):
        raise Refused(
            Reason.UNSUPPORTED_MODEL,
            "flux models take one channel only and a call has two; choose another dg_model, such as nova-3.",
        )


def _add_tag(wanted: dict[str, list[str]]) -> None:
    tags = wanted.setdefault("tag", [])
    if TAG not in tags:
        wanted["tag"] = [*tags, TAG]
