"""Compares what was said in a generated call with the finals that a session received. Pure.

Every word of `script.encode_call` is unique, so nothing is guessed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from emulators.deepgram.codec import SAMPLE_RATE
from emulators.deepgram.script import ScriptWord


@dataclass(frozen=True, slots=True)
class ReceivedWord:
    """One word of a final, in the order received; `start` and `end` in samples of the session."""

    channel: int
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Deviation:
    """One thing that is wrong, in words for a report."""

    text: str
    channel: int
    what: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Everything that is wrong with a transcript; all empty when it is right.

    lost: words said and never received whole. doubled: received again. misordered: received after a later
    word of the same channel. wrong_channel: received on the other side. shifted: received with times that
    differ from those said by more than the tolerance. damaged: pieces and altered words (`~cut`, `~altered`,
    `~noise`). foreign: whole words that this call does not have.
    """

    words: int
    lost: tuple[Deviation, ...] = ()
    doubled: tuple[Deviation, ...] = ()
    misordered: tuple[Deviation, ...] = ()
    wrong_channel: tuple[Deviation, ...] = ()
    shifted: tuple[Deviation, ...] = ()
    damaged: tuple[Deviation, ...] = ()
    foreign: tuple[Deviation, ...] = ()

    @property
    def clean(self) -> bool:
        """Every word once, in order, on its channel, at its time, and nothing else."""
        return not self.deviations()

    def deviations(self) -> dict[str, tuple[Deviation, ...]]:
        """What is wrong, by kind; kinds without a case are left out."""
        kinds = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "words"}
        return {kind: cases for kind, cases in kinds.items() if cases}

    def __str__(self) -> str:
        lines = [
            f"{kind}: {case.text} (channel {case.channel}): {case.what}"
            for kind, cases in self.deviations().items()
            for case in cases
        ]
        return "\n".join(lines) or f"{self.words} words, each once, in order, on its channel, at its time"


def received_words(messages: Iterable[Mapping[str, Any]]) -> list[ReceivedWord]:
    """The words of the final results among Deepgram's `messages`, in the order given."""
    finals = (one for one in messages if one.get("type") == "Results" and one["is_final"])
    return [
        ReceivedWord(
            final["channel_index"][0],
            word["word"],
            round(word["start"] * SAMPLE_RATE),
            round(word["end"] * SAMPLE_RATE),
        )
        for final in finals
        for word in final["channel"]["alternatives"][0]["words"]
    ]


def judge(
    said: Sequence[ScriptWord],
    received: Iterable[ReceivedWord],
    *,
    tolerance_samples: int = 0,
    offset_samples: int = 0,
) -> Verdict:
    """Compare the words `said` with those `received`.

    Args:
        said: The script's words.
        received: Words in the order in which they came, see `received_words`.
        tolerance_samples: How far a word's start and end may be off.
        offset_samples: The session's position of the call's first sample.
    """
    expected = {word.text: word for word in said}
    found: dict[str, list[Deviation]] = {
        kind: [] for kind in ("doubled", "misordered", "wrong_channel", "shifted", "damaged", "foreign")
    }
    seen: set[str] = set()
    latest = dict.fromkeys({word.channel for word in said}, -1)
    for word in received:
        script = expected.get(word.text)
        if script is None:
            kind = "damaged" if "~" in word.text else "foreign"
            found[kind].append(Deviation(word.text, word.channel, f"at sample {word.start}"))
            continue
        if word.text in seen:
            found["doubled"].append(Deviation(word.text, word.channel, f"again at sample {word.start}"))
            continue
        seen.add(word.text)
        if word.channel != script.channel:
            found["wrong_channel"].append(
                Deviation(word.text, word.channel, f"said on channel {script.channel}")
            )
        elif script.ordinal < latest[script.channel]:
            what = f"after word {latest[script.channel]} of its channel"
            found["misordered"].append(Deviation(word.text, word.channel, what))
        latest[script.channel] = max(latest[script.channel], script.ordinal)
        late = _shift(script, word, offset_samples)
        if abs(late) > tolerance_samples:
            found["shifted"].append(Deviation(word.text, word.channel, f"by {late:+d} samples"))
    lost = tuple(
        Deviation(word.text, word.channel, f"said at sample {word.start_sample}")
        for word in said
        if word.text not in seen
    )
    return Verdict(len(seen), lost, **{kind: tuple(cases) for kind, cases in found.items()})


def _shift(said: ScriptWord, received: ReceivedWord, offset: int) -> int:
    """How much later the word was received than said; of start and end the worse."""
    start = received.start - said.start_sample - offset
    end = received.end - said.end_sample - offset
    return start if abs(start) >= abs(end) else end
