"""The one audio format between ingest and Deepgram: interleaved stereo s16le at 8 kHz.

A position is a number of samples per channel since `t0`, the producer time of the session's first sample.
"""

from enum import IntEnum

SAMPLE_RATE_HZ = 8_000
SAMPLES_PER_MS = SAMPLE_RATE_HZ // 1_000
CHANNELS = 2
MONO_SAMPLE_BYTES = 2
STEREO_SAMPLE_BYTES = CHANNELS * MONO_SAMPLE_BYTES


class Channel(IntEnum):
    """Index in the stereo output and in Deepgram's `channel_index`."""

    CUSTOMER = 0
    AGENT = 1

    @property
    def speaker(self) -> str:
        """`customer` or `agent`, as events and transcripts name the side."""
        return self.name.lower()


def samples_of_ms(duration_ms: int) -> int:
    """Samples per channel in `duration_ms` milliseconds."""
    return duration_ms * SAMPLES_PER_MS


def seconds_of_samples(samples: int) -> float:
    """Seconds of `samples` samples per channel, exact to the sample (125 us)."""
    return samples / SAMPLE_RATE_HZ


def samples_of_seconds(seconds: float) -> int:
    """The sample position nearest to `seconds`."""
    return round(seconds * SAMPLE_RATE_HZ)
