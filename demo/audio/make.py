"""Makes the sample calls: `python demo/audio/make.py` reads each script beside it and writes its recording.

Needs the commands `flite` (voices rms, slt, awb) and `sox`, Debian packages of the same names; the demo
itself does not, since the recordings are kept with the scripts. Each turn is spoken by its side's voice,
placed on its side's channel (customer left, agent right), and sent through a telephone: 300-3400 Hz, 8 kHz,
mu-law and back.
"""

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile  # pyright: ignore[reportMissingTypeStubs]  it has annotations, no marker

SAMPLE_RATE = 8000
SIDES = ("customer", "agent")  # left, right
TAIL_MS = 1000
SILENCE = 200  # the voices' own silence before and after a turn stays below this
MARGIN_MS = 60  # of it that is kept
TELEPHONE = ("sinc", "300-3400", "norm", "-6")  # sox effects: the band of a telephone, and its level

type Samples = npt.NDArray[np.int16]


def main() -> None:
    """Make every call."""
    for path in sorted(Path(__file__).parent.glob("*.json")):
        script = json.loads(path.read_text())
        samples = record(script)
        soundfile.write(path.with_suffix(".flac"), samples, SAMPLE_RATE, subtype="PCM_16")
        path.write_text(_dump(script))
        print(f"{path.stem}: {len(samples) / SAMPLE_RATE:.1f} s")


def record(script: dict[str, Any]) -> Samples:
    """Speak a script's turns; writes each turn's `start_ms` and `end_ms` into it.

    Returns:
        Samples of shape (n, 2).
    """
    spoken: list[tuple[int, int, Samples]] = []
    end = 0
    for turn in script["turns"]:
        samples = speak(turn["text"], script["voices"][turn["side"]])
        start = end + turn["after_ms"] * SAMPLE_RATE // 1000
        end = start + len(samples)
        turn["start_ms"], turn["end_ms"] = (1000 * at // SAMPLE_RATE for at in (start, end))
        spoken.append((SIDES.index(turn["side"]), start, samples))
    call = np.zeros((end + TAIL_MS * SAMPLE_RATE // 1000, len(SIDES)), np.int16)
    for channel, start, samples in spoken:
        call[start : start + len(samples), channel] = samples
    return call


def speak(text: str, voice: str) -> Samples:
    """One turn as it sounds at the other end of a telephone line."""
    with tempfile.TemporaryDirectory() as folder:
        wide, coded, narrow = (Path(folder) / name for name in ("wide.wav", "coded.wav", "narrow.wav"))
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", wide], check=True)  # noqa: S607
        subprocess.run(
            ["sox", "-R", wide, "-r", str(SAMPLE_RATE), "-e", "mu-law", coded, *TELEPHONE],  # noqa: S607
            check=True,
        )
        subprocess.run(["sox", "-R", coded, "-e", "signed", "-b", "16", narrow], check=True)  # noqa: S607
        read, rate = soundfile.read(narrow, dtype="int16")
        samples = np.asarray(read, np.int16)
    if rate != SAMPLE_RATE:
        raise ValueError(f"sox wrote {rate} Hz")
    loud = np.flatnonzero(np.abs(samples) > SILENCE)
    margin = MARGIN_MS * SAMPLE_RATE // 1000
    return samples[max(0, loud[0] - margin) : loud[-1] + margin]


def _dump(script: dict[str, Any]) -> str:
    """The script as it is written by hand: one turn per line."""
    turns = ",\n".join(f"    {json.dumps(turn)}" for turn in script["turns"])
    title, voices = json.dumps(script["title"]), json.dumps(script["voices"])
    return f'{{\n  "title": {title},\n  "voices": {voices},\n  "turns": [\n{turns}\n  ]\n}}\n'


if __name__ == "__main__":
    main()
