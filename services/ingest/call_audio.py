"""CallAudio: what one call's stream holds, from the bytes of its GetMedia bodies to stereo chunks."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from contracts.audio import MONO_SAMPLE_BYTES, SAMPLES_PER_MS, Channel
from services.ingest.audio_format import MIME_TYPE_TAG, is_supported
from services.ingest.contact_gate import Confirmed, ContactGate, OtherContact, Passed, Withheld
from services.ingest.errors import MalformedFragment, UndecodableBlock
from services.ingest.fragment_scanner import FragmentScanner
from services.ingest.laid import Laid
from services.ingest.scanned import Block, BlockDropped, ClusterStarted, FragmentStarted, Scanned, Tag
from services.ingest.timeline import Timeline

ERROR_ID_TAG: Final = "AWS_KINESISVIDEO_ERROR_ID"


class Decoder(Protocol):
    """Port: decodes the blocks of one call, both lanes."""

    def decode(self, channel: Channel, payload: bytes) -> bytes:
        """PCM (s16le, 8 kHz, mono) of one block.

        Raises:
            UndecodableBlock: and the decoder is used up.
        """
        ...


@dataclass(frozen=True, slots=True)
class InBandError:
    """KVS gave the body up; `code` is one of GetMedia's error ids, as text."""

    code: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """The body cannot be walked on; nothing of it follows."""

    error: MalformedFragment


@dataclass(frozen=True, slots=True)
class UnsupportedFormat:
    """The contact's fragment says that it holds another format than Connect's PCM."""

    mime_type: str


type Heard = (
    Laid
    | Confirmed
    | OtherContact
    | Withheld
    | BlockDropped
    | FragmentStarted
    | InBandError
    | Malformed
    | UnsupportedFormat
)


class CallAudio:
    """Keeps gate and timeline over the bodies of a call; each body begins with `open_body`."""

    def __init__(self, gate: ContactGate, timeline: Timeline, new_decoder: Callable[[], Decoder]) -> None:
        self.gate = gate
        self.timeline = timeline
        self._new_decoder = new_decoder
        self._decoder = new_decoder()
        self._scanner = FragmentScanner()
        self._unsupported: str | None = None
        """What the present fragment's MimeType says, if it cannot be decoded."""

    def open_body(self) -> None:
        """The next bytes are a body's first."""
        self._scanner = FragmentScanner()
        self.timeline.new_body()

    def feed(self, data: bytes) -> list[Heard]:
        """What the call says with `data`; after `Malformed` the body must be given up."""
        heard: list[Heard] = []
        try:
            self._scanned(self._scanner.feed(data), heard)
        except MalformedFragment as error:
            self._scanned(error.scanned, heard)
            heard.append(Malformed(error))
        return heard

    def end_body(self) -> list[Heard]:
        """The body ended, or was given up; the timeline keeps what it has."""
        heard: list[Heard] = []
        self._scanned(self._scanner.feed_eof(), heard)
        self._scanner = FragmentScanner()
        self._passed(self.gate.abandon(), heard)
        return heard

    def _scanned(self, values: Iterable[Scanned], heard: list[Heard]) -> None:
        for value in values:
            if isinstance(value, Block):
                if self.gate.is_open and self._unsupported is None:
                    self._block(value, heard)
                    continue
            else:
                self._note(value, heard)
            passed = self.gate.feed(value)
            if self._unsupported is not None and self.gate.is_open:
                heard.append(UnsupportedFormat(self._unsupported))
                return
            if passed:
                self._passed(passed, heard)

    def _note(self, value: Scanned, heard: list[Heard]) -> None:
        match value:
            case Tag(name=name, value=code) if name == ERROR_ID_TAG:
                heard.append(InBandError(code))
            case Tag(name=name, value=mime_type) if name == MIME_TYPE_TAG:
                self._unsupported = None if is_supported(mime_type) else mime_type
            case FragmentStarted():
                self._unsupported = None
                heard.append(value)
            case BlockDropped():
                heard.append(value)
            case ClusterStarted():
                if self.timeline.t0_ms is not None:
                    t0_ms = self.timeline.t0_ms
                    self.gate.heard(t0_ms, t0_ms + self.timeline.reached // SAMPLES_PER_MS)
            case _:
                pass

    def _passed(self, values: Sequence[Passed], heard: list[Heard]) -> None:
        for value in values:
            if isinstance(value, Block):
                self._block(value, heard)
            else:
                heard.append(value)

    def _block(self, block: Block, heard: list[Heard]) -> None:
        payload = block.payload
        if len(payload) % MONO_SAMPLE_BYTES:
            payload = payload[:-1]
            heard.append(BlockDropped("odd_byte", 1))
        if not payload:
            return
        pcm = self._decode(block.channel, payload)
        if pcm is None:
            heard.append(BlockDropped("undecodable", len(payload)))
        else:
            heard += self.timeline.push(block.channel, pcm, block.at_ms)

    def _decode(self, channel: Channel, payload: bytes) -> bytes | None:
        """A failure costs the decoder, not the call; a block that fails twice is left out."""
        for _ in range(2):
            try:
                return self._decoder.decode(channel, payload)
            except UndecodableBlock:
                self._decoder = self._new_decoder()
        return None
