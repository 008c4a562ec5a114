"""The query of `/v1/listen`, checked as Deepgram checks it. Pure.

Unknown parameters are accepted and kept: new ones appear.
"""

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

LISTEN_PATH = "/v1/listen"
DEFAULT_ENDPOINTING_MS = 10  # Deepgram's documented default
_BOOLEANS = (
    "interim_results",
    "multichannel",
    "punctuate",
    "smart_format",
    "vad_events",
    "diarize",
    "dictation",
)
_SAMPLE_RATES_HZ = (8000, 16000)
_MIN_UTTERANCE_END_MS = 1000


@dataclass(frozen=True, slots=True)
class Refusal:
    """A handshake that is answered with an HTTP error: `dg-error` and the JSON body carry `message`."""

    status: int
    code: str
    message: str


UNAUTHORISED = Refusal(401, "INVALID_AUTH", "Invalid credentials.")
TOO_MANY = Refusal(429, "TOO_MANY_REQUESTS", "Too many requests. Please try again later")


@dataclass(frozen=True, slots=True)
class Query:
    """What a connection asked for. `parameters` is everything, in order; it never holds the key."""

    parameters: tuple[tuple[str, str], ...]
    model: str
    encoding: str | None
    sample_rate_hz: int
    channels: int
    interim_results: bool
    punctuate: bool
    vad_events: bool
    endpointing_ms: int | None  # None: switched off
    utterance_end_ms: int | None

    def tags(self) -> tuple[str, ...]:
        """The request's tags, by which a test finds its connection."""
        return tuple(value for name, value in self.parameters if name == "tag")


class _BadRequestError(Exception):
    """A parameter that Deepgram would refuse, and the sentence that says why."""


def parse_query(target: str) -> Query | Refusal:
    """Read a request's target (`/v1/listen?…`); a refusal is to be answered before the upgrade."""
    try:
        parts = urlsplit(target)
    except ValueError:
        return Refusal(400, "Bad Request", "The request's target is no URL.")
    if parts.path != LISTEN_PATH:
        return Refusal(404, "NOT_FOUND", _printable(f"There is nothing at {parts.path}."))
    try:
        return _checked(tuple(parse_qsl(parts.query, keep_blank_values=True)))
    except _BadRequestError as error:
        return Refusal(400, "Bad Request", _printable(str(error)))


def _printable(text: str) -> str:
    """What may stand in a header: values of the query are quoted in messages."""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text[:300])


def _checked(parameters: tuple[tuple[str, str], ...]) -> Query:
    values = dict(reversed(parameters))  # the first of several
    flags = {name: _boolean(values, name) for name in _BOOLEANS}
    model = values.get("model", "base")
    if model.startswith("flux"):
        raise _BadRequestError("Flux models are served on /v2/listen.")
    encoding = values.get("encoding")
    if encoding not in (None, "linear16"):
        raise _BadRequestError(f"Unsupported encoding: {encoding}. This server hears linear16.")
    if encoding is not None and "sample_rate" not in values:
        raise _BadRequestError("sample_rate is required when encoding is given.")
    rate = _integer(values, "sample_rate", 8000)
    if rate not in _SAMPLE_RATES_HZ:
        raise _BadRequestError(f"Unsupported sample_rate: {rate}. This server hears 8000 and 16000.")
    channels = _integer(values, "channels", 1)
    if not 1 <= channels <= 2:
        raise _BadRequestError(f"Unsupported number of channels: {channels}. This server hears 1 and 2.")
    if channels > 1 and not flags["multichannel"]:
        raise _BadRequestError("This server hears several channels only with multichannel=true.")
    return Query(
        parameters=parameters,
        model=model,
        encoding=encoding,
        sample_rate_hz=rate,
        channels=channels,
        interim_results=flags["interim_results"],
        punctuate=flags["punctuate"] or flags["smart_format"],
        vad_events=flags["vad_events"],
        endpointing_ms=_endpointing(values),
        utterance_end_ms=_utterance_end(values, interim_results=flags["interim_results"]),
    )


def _boolean(values: dict[str, str], name: str) -> bool:
    value = values.get(name, "false")
    if value not in ("true", "false"):
        raise _BadRequestError(f"Invalid query string: {name} must be true or false.")
    return value == "true"


def _integer(values: dict[str, str], name: str, default: int) -> int:
    value = values.get(name, str(default))
    if not (value.isascii() and value.isdigit() and len(value) <= 9):
        raise _BadRequestError(f"Invalid query string: {name} must be a whole number.")
    return int(value)


def _endpointing(values: dict[str, str]) -> int | None:
    value = values.get("endpointing", "true")
    if value in ("true", "false"):
        return DEFAULT_ENDPOINTING_MS if value == "true" else None
    return _integer(values, "endpointing", DEFAULT_ENDPOINTING_MS)


def _utterance_end(values: dict[str, str], *, interim_results: bool) -> int | None:
    if "utterance_end_ms" not in values:
        return None
    gap_ms = _integer(values, "utterance_end_ms", _MIN_UTTERANCE_END_MS)
    if gap_ms < _MIN_UTTERANCE_END_MS or not interim_results:
        raise _BadRequestError("utterance_end_ms must be at least 1000 and needs interim_results=true.")
    return gap_ms
