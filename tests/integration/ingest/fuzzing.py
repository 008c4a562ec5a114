"""Mutated streams through scanner, gate, PyAV and timeline: no crash, no hang, no growth, no nonsense.

`python -m tests.integration.ingest.fuzzing INPUTS [FIRST]`: each input is made from its number alone, so that
one that fails can be run again. They run in a process of their own, since a fault in FFmpeg ends a process.
"""

import contextlib
import ctypes
import faulthandler
import gc
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
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
from tests.unit.ingest.matroska_writer import T0_MS

HANG_S = 10.0
"""For one input, which takes a millisecond or two."""
MAX_GROWTH_BYTES = 24 << 20
"""Of resident memory, after the first tenth; fragments of the heap's are part of it."""
MAX_LEFT_BYTES = 256 << 10
"""Of what is in use, after the first tenth."""
STEPS = 10
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
    timeline = Timeline(samples_of_ms(100), start_ms=T0_MS if number % 2 else None)
    audio = CallAudio(ContactGate(map(ContactId, contacts)), timeline, PcmDecoder)
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


@dataclass(frozen=True, slots=True)
class Memory:
    """Of this process, bytes."""

    resident: int
    malloc: int
    """What C code, FFmpeg's above all, and large Python objects have in use."""
    blocks: int
    """Small Python objects: their number."""


class _Mallinfo2(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks",
            "keepcost",
        )
    )  # fmt: skip

    hblkhd: int
    uordblks: int


def memory() -> Memory:
    """What is in use, of unreachable objects freed."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    mallinfo2 = ctypes.CDLL(None).mallinfo2  # glibc 2.33
    mallinfo2.restype = _Mallinfo2
    of_heap: _Mallinfo2 = mallinfo2()
    malloc = of_heap.uordblks + of_heap.hblkhd
    return Memory(pages * os.sysconf("SC_PAGE_SIZE"), malloc, sys.getallocatedblocks())


def batch(first: int, inputs: int, tell: Callable[[int, Memory], object] | None = None) -> None:
    """Runs inputs, and sees to it that what they used is given back."""
    settled: Memory | None = None
    now = memory()
    with no_hang():
        for done, number in enumerate(range(first, first + inputs), 1):
            signal.setitimer(signal.ITIMER_REAL, HANG_S)
            try:
                run(number)
            except BaseException as error:
                error.add_note(f"input {number}")
                raise
            if done % max(1, inputs // STEPS) == 0:
                now = memory()
                settled = settled or now
                if tell is not None:
                    tell(done, now)
    if settled is not None:
        assert now.resident - settled.resident < MAX_GROWTH_BYTES, (settled, now)
        assert now.malloc - settled.malloc < MAX_LEFT_BYTES, (settled, now)


def main(inputs: int, first: int) -> int:
    begun = time.monotonic()
    command = [sys.executable, "-m", MODULE, "--batch", str(first), str(inputs)]
    done = subprocess.run(command, check=False, timeout=7_200)
    if done.returncode:
        print(f"failed with {done.returncode} in inputs {first} to {first + inputs - 1}")
        return 1
    print(f"{inputs} inputs in {time.monotonic() - begun:.0f} s: no crash, no hang, growth within bounds")
    return 0


def _tell(done: int, now: Memory) -> None:
    print(
        f"{done} inputs: {now.resident / 1e6:.1f} MB resident, {now.malloc / 1e6:.2f} MB of the heap in use, "
        f"{now.blocks} small objects",
        flush=True,
    )


if __name__ == "__main__":
    faulthandler.enable()
    if sys.argv[1] == "--batch":
        batch(int(sys.argv[2]), int(sys.argv[3]), _tell)
    else:
        sys.exit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))
