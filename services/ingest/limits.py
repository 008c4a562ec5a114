"""How long ingest waits for what."""

from dataclasses import dataclass

from contracts.audio import samples_of_ms

QUIET_S = 8
"""The last words of a call of whose end nobody tells reach the callback within 10 s."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one session; the defaults are the settings' defaults."""

    chunk_samples: int = samples_of_ms(100)
    """Length of the chunks that go over the link."""
    quiet_s: float = QUIET_S
    """Without new audio: what was heard is made final."""
    idle_silent_s: float = 10
    """Without new audio, after silence on both lanes: the call is over."""
    idle_s: float = 60
    """Without new audio otherwise."""
    transfer_grace_s: float = 2
    """From another contact's audio until the end: time to learn that it belongs to the session."""
    reading_patience_s: float = 600
    """Of faults in a row; KVS without retention keeps audio for 5 minutes."""
    drain_s: float = 15
    """After the call's end is known, without any new audio."""
    drained_s: float = 0.5
    """Without new audio when the audio reaches the known end."""
    peer_patience_s: float = 30
    """Without a transcribe process that takes the session: the request goes back."""
    peer_retry_s: float = 0.1
    """Between two looks for one."""
    answer_s: float = 10
    """For `opened` or `refused`."""
    closed_s: float = 660
    """For `closed` after the end: transcribe tries for ten minutes to have the transcript's tail heard."""
    release_s: float = 5
    """For `closed` after a release; the process has little time left."""
    busy_s: int = 3
    """A session of which another writer made progress is asked for again after this."""
    extend_every_s: float = 20
    """Of a lease; two extensions may fail."""
    hand_over_s: float = 11.5 * 3600
    """From the receipt of the request; SQS keeps a message invisible for 12 hours at most.

    The session is then released, and received anew by whoever has room, this process included.
    """
