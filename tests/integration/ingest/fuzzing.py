"""Mutated streams through scanner, gate, PyAV and timeline: no crash, no hang, no growth, no nonsense.

`python -m tests.integration.ingest.fuzzing INPUTS [FIRST]`: each input is made from its number alone, so that
one that fails can be run again. Batches have processes of their own, since a fault in FFmpeg ends a process.
"""

import contextlib
import faulthandler
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from types import FrameType

from contracts.audio import STEREO_SAMPLE_BYTES, samples_of_ms
from contracts.model import ContactId
from services.ingest.adapters.pcm_decoder import PcmDecoder
from services.ingest.call_audio import CallAudio, Heard, Malformed
from services.ingest.contact_gate import ContactGate
from services.ingest.laid import Chunk, Skipped
from services.ingest.timeline import MAX_FILLED_SAMPLES, Timeline
from tests.unit.ingest.cases import CASES

HANG_S = 10.0
"""For one input, which takes a millisecond or two."""
MAX_GROWTH_BYTES = 24 << 20
"""Of a batch, after its first tenth."""
BATCH = 20_000
MODULE = "tests.integration.ingest.fuzzing"
MAGIC = tuple(
    bytes.fromhex(text)
    for text in (
        "1a45dfa3", "18538067ff", "1f43b675ff", "1f43b67501ffffffffffffff", "a3", "a301000000000003ff", "e7",
        "a0", "a1", "ec", "bf", "1254c367", "1654ae6b", "ff", "00", "01", "80", "4000", "01ffffffffffffff",
        "010000ffffffffff", "0100000000010000", "7f", "fe",
    )
)  # fmt: skip
"""Ids and sizes, well-formed and not."""

type Mutation = Callable[[random.Random, bytearray], None]


def _flip(dice: random.Random, body: bytearray) -> None:
    for _ in range(dice.choice((1, 1, 2, 8))):
        body[dice.randrange(len(body))] ^= 1 << dice.randrange(8)


def _overwrite(dice: random.Random, body: bytearray) -> None:
    at = dice.randrange(len(body))
    value = dice.choice(MAGIC)
    body[at : at + len(value)] = value


def _insert(dice: random.Random, body: bytearray) -> None:
    at = dice.randrange(len(body))
    body[at:at] = dice.choice(MAGIC) if dice.random() < 0.5 else dice.randbytes(dice.randrange(1, 40))


def _delete(dice: random.Random, body: bytearray) -> None:
    at = dice.randrange(len(body))
    del body[at : at + dice.choice((1, 2, 8, 100, 1100))]


def _repeat(dice: random.Random, body: bytearray) -> None:
    at, size = dice.randrange(len(body)), dice.choice((1, 9, 1037, 4000))
    to = dice.randrange(len(body))
    body[to:to] = body[at : at + size]


def _cut(dice: random.Random, body: bytearray) -> None:
    del body[dice.randrange(1, len(body) + 1) :]


def _splice(dice: random.Random, body: bytearray) -> None:
    other = dice.choice(CASES).body
    body[dice.randrange(len(body)) :] = other[dice.randrange(len(other)) :]


def _head(dice: random.Random, body: bytearray) -> None:
    """Something in the first fragment's head, where the elements are."""
    at = dice.randrange(min(600, len(body)))
    body[at] = dice.randrange(256)


MUTATIONS: tuple[Mutation, ...] = (_flip, _overwrite, _insert, _delete, _repeat, _cut, _splice, _head, _head)


def mutated(number: int) -> tuple[bytes, tuple[str, ...], int]:
    """Input `number`: a body, the accepted contacts, and the size of its pieces."""
    dice = random.Random(number)
    case = dice.choice(CASES)
    body = bytearray(case.body if dice.random() < 0.2 else case.body[: dice.randrange(2_000, 16_000)])
    for _ in range(dice.choice((1, 1, 2, 4))):
        dice.choice(MUTATIONS)(dice, body)
        body = body or bytearray(b"\0")
    return bytes(body), case.contacts, dice.choice((61, 1448, 65_536, 65_536))


def run(number: int) -> None:
    """One input; raises what is wrong with what becomes of it."""
    body, contacts, size = mutated(number)
    audio = CallAudio(ContactGate(map(ContactId, contacts)), Timeline(samples_of_ms(100)), PcmDecoder)
    heard: list[Heard] = []
    for _ in range(2):  # the second body is what a re-open would bring
        audio.open_body()
        for at in range(0, len(body), size):
            said = audio.feed(body[at : at + size])
            heard += said
            if any(isinstance(item, Malformed) for item in said):
                break
        heard += audio.end_body()
    heard += audio.timeline.flush()
    check(heard, len(body))


def check(heard: Iterable[Heard], size: int) -> None:
    """Chunks are whole samples and follow one another; no more comes out than silence may be filled in."""
    position = 0
    for item in heard:
        if isinstance(item, Chunk):
            assert item.pcm
            assert len(item.pcm) % STEREO_SAMPLE_BYTES == 0
            assert item.position == position
            position = item.end
        elif isinstance(item, Skipped):
            assert item.position == position <= item.end
            position = item.end
    out = sum(len(item.pcm) for item in heard if isinstance(item, Chunk))
    assert out <= 4 * size + (1 + size // 10) * MAX_FILLED_SAMPLES * STEREO_SAMPLE_BYTES


@contextlib.contextmanager
def no_hang() -> Generator[None]:
    """Ends what takes too long, with where it was."""

    def hang(_number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"at {frame}")

    before = signal.signal(signal.SIGALRM, hang)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def batch(first: int, inputs: int) -> int:
    """Runs inputs; gives by how many bytes the process has grown after its first tenth."""
    settled = 0
    with no_hang():
        for number in range(first, first + inputs):
            signal.setitimer(signal.ITIMER_REAL, HANG_S)
            try:
                run(number)
            except BaseException as error:
                error.add_note(f"input {number}")
                raise
            if number == first + inputs // 10:
                settled = memory_bytes()
    growth = memory_bytes() - settled
    assert growth < MAX_GROWTH_BYTES, growth
    return growth


def memory_bytes() -> int:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main(inputs: int, first: int) -> int:
    begun = time.monotonic()
    for start in range(first, first + inputs, BATCH):
        count = min(BATCH, first + inputs - start)
        command = [sys.executable, "-m", MODULE, "--batch", str(start), str(count)]
        done = subprocess.run(command, check=False, timeout=3_600)
        if done.returncode:
            print(f"failed with {done.returncode} in inputs {start} to {start + count - 1}")
            return 1
    print(f"{inputs} inputs in {time.monotonic() - begun:.0f} s: no crash, no hang, growth within bounds")
    return 0


if __name__ == "__main__":
    faulthandler.enable()
    if sys.argv[1] == "--batch":
        start, count = int(sys.argv[2]), int(sys.argv[3])
        grown = batch(start, count)
        print(f"inputs {start} to {start + count - 1}: {grown / 1e6:+.1f} MB", flush=True)
    else:
        sys.exit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))
