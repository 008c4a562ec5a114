"""What a call's two sides say: PCM of any origin, and audio files of any common kind."""

import math
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import soundfile  # pyright: ignore[reportMissingTypeStubs]  # ships none
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 8_000
STEREO_SAMPLE_BYTES = 4
MAX_DURATION_S = 4 * 3_600
ZERO_CROSSINGS = 16
"""Half the length of the interpolating sinc: a stop band of more than 70 dB with the Kaiser window below."""
KAISER_BETA = 8.0


class UnreadableAudio(ValueError):
    """The file cannot be played; the message says why, to whom chose it."""


class AudioSource(Protocol):
    """Where a call's audio comes from."""

    def read(self, samples: int) -> bytes:
        """The next stereo samples: interleaved s16le at 8 kHz, left FROM_CUSTOMER, right TO_CUSTOMER.

        Fewer than asked for only at the end, and then nothing.
        """
        ...


class PcmSource:
    """Audio that is in memory."""

    def __init__(self, pcm: bytes) -> None:
        """`pcm`: interleaved s16le at 8 kHz, left FROM_CUSTOMER, right TO_CUSTOMER."""
        if len(pcm) % STEREO_SAMPLE_BYTES:
            raise ValueError("stereo samples have four bytes")
        self._pcm = pcm
        self._offset = 0

    @property
    def samples(self) -> int:
        """How long the whole of it is, in samples per side."""
        return len(self._pcm) // STEREO_SAMPLE_BYTES

    def read(self, samples: int) -> bytes:
        """See `AudioSource`."""
        piece = self._pcm[self._offset : self._offset + samples * STEREO_SAMPLE_BYTES]
        self._offset += len(piece)
        return piece


def load(path: Path) -> bytes:
    """Read WAV, FLAC, Ogg and whatever else libsndfile reads.

    Returns:
        Interleaved stereo s16le at 8 kHz. The left channel is the customer's; a mono file is a customer to
        whom nobody speaks. 16-bit files at 8 kHz come out sample by sample as they are.

    Raises:
        UnreadableAudio: no such file, no audio, more than two channels, or longer than four hours.
    """
    if not path.is_file():  # libsndfile would wait for what somebody writes to a pipe
        raise UnreadableAudio(f"{path} is not a file" if path.exists() else f"there is no file {path}")
    try:
        found = soundfile.info(str(path))
        if found.channels > 2:
            raise UnreadableAudio(f"{path} has {found.channels} channels; a call has two sides")
        if not 0 < found.frames <= MAX_DURATION_S * found.samplerate:
            raise UnreadableAudio(f"{path} is empty or longer than {MAX_DURATION_S // 3_600} hours")
        exact = found.samplerate == SAMPLE_RATE_HZ
        samples = _read(path, "int16" if exact else "float32")
    except (OSError, soundfile.SoundFileError) as error:
        raise UnreadableAudio(
            f"{path} is not audio of a kind that can be read: try WAV, FLAC or Ogg"
        ) from error
    if not exact:
        samples = to_int16(resample(samples, found.samplerate))
    if samples.shape[1] == 1:
        samples = np.column_stack((samples[:, 0], np.zeros_like(samples[:, 0])))
    return samples.astype("<i2").tobytes()


def _read(path: Path, dtype: Literal["int16", "float32"]) -> NDArray[Any]:
    return soundfile.read(str(path), dtype=dtype, always_2d=True)[0]


def to_int16(samples: NDArray[np.floating]) -> NDArray[np.int16]:
    """Samples in -1…1 as 16-bit integers, clipped."""
    return np.clip(np.round(samples * 32_768), -32_768, 32_767).astype(np.int16)


def resample(samples: NDArray[Any], rate_hz: int) -> NDArray[np.float32]:
    """Change the rate to 8 kHz by a windowed sinc, polyphase.

    Args:
        samples: floats, shape (samples, channels).
        rate_hz: their rate.

    Returns:
        Floats of the same shape but for the number of samples; the first sample keeps its instant.
    """
    common = math.gcd(rate_hz, SAMPLE_RATE_HZ)
    up, down = SAMPLE_RATE_HZ // common, rate_hz // common
    phases = _phases(up, down)
    taps = phases.shape[1]
    padded = np.pad(samples.astype(np.float32), ((taps // 2 - 1, taps // 2 + 1), (0, 0)))
    count = -(-samples.shape[0] * up // down)
    windows = np.lib.stride_tricks.sliding_window_view(padded, taps, axis=0)
    out = np.empty((count, samples.shape[1]), np.float32)
    for phase in range(min(up, count)):
        first = phase * down // up
        places = windows[first::down][: len(range(phase, count, up))]
        out[phase::up] = places @ phases[phase * down % up]
    return out


def _phases(up: int, down: int) -> NDArray[np.float32]:
    """Filter taps for each fraction n/up of a sample, shape (up, taps); each row sums to one."""
    cutoff = min(1.0, up / down)
    half = math.ceil(ZERO_CROSSINGS / cutoff)
    offsets = np.arange(-half + 1, half + 1)[None, :] - np.arange(up)[:, None] / up
    window = np.i0(KAISER_BETA * np.sqrt(np.clip(1 - (offsets / half) ** 2, 0, None)))
    taps = np.sinc(offsets * cutoff) * window
    return (taps / taps.sum(axis=1, keepdims=True)).astype(np.float32)
