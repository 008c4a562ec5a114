"""The calls that the demo plays: the samples of the repository, or the user's own audio."""

import json
from dataclasses import dataclass
from pathlib import Path

from contracts.audio import STEREO_SAMPLE_BYTES, Channel, seconds_of_samples
from demo.call import DemoCall
from emulators.connect.audio import PcmSource, load
from emulators.connect.call import Call

SAMPLES = Path(__file__).parent / "audio"
DEEPGRAM_ATTRIBUTES = {
    "dg_model": "nova-3",
    "dg_smart_format": "true",
    "dg_interim_results": "true",
}


@dataclass(frozen=True, slots=True)
class Planned:
    """A call to play and the view that a person has of it."""

    view: DemoCall
    pcm: bytes

    def call(self, callback: str) -> Call:
        """For the Connect emulator; its flow sends the transcripts to `callback`."""
        return Call(
            source=PcmSource(self.pcm),
            contact_id=self.view.contact_id,
            attributes={**DEEPGRAM_ATTRIBUTES, "dg_tag": self.view.tag, "dg_callback": callback},
        )


def plan(audio: Path | None) -> list[Planned]:
    """Two sample calls, or one of the user's own audio.

    Raises:
        UnreadableAudio: the user's file cannot be played; the message says why.
    """
    if audio is not None:
        return [_planned(1, audio, audio.stem, None)]
    return [_sample(number, path) for number, path in enumerate(sorted(SAMPLES.glob("*.flac")), 1)]


def _sample(number: int, path: Path) -> Planned:
    script = json.loads(path.with_suffix(".json").read_text())
    reference = {
        channel: " ".join(turn["text"] for turn in script["turns"] if turn["side"] == channel.speaker)
        for channel in Channel
    }
    return _planned(number, path, script["title"], reference)


def _planned(number: int, path: Path, title: str, reference: dict[Channel, str] | None) -> Planned:
    pcm = load(path)
    view = DemoCall(
        name=f"call {number}",
        title=title,
        duration_s=seconds_of_samples(len(pcm) // STEREO_SAMPLE_BYTES),
        reference=reference,
        tag=f"demo-{number}",
    )
    return Planned(view, pcm)
