"""What delivery costs per message and how soon it posts: `python -m benchmarks.delivery [RUNS]`.

Delivery is the process of a deployment, between the embedded AWS emulator and a receiver in a process of its
own. Its CPU time is the operating system's account of it. Bodies have 1 KB, all requests are signed.

full batches: the queue is filled before delivery starts; light load: one message at a time, evenly.
"""

import itertools
import json
import statistics
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.model import ContactId, SessionId
from contracts.queue import TranscriptMessage
from contracts.session import Callback, MediaStream, SessionHeader, header_key
from embedded import resources
from embedded.aws import AwsEndpoint, embedded_aws
from embedded.process import Child, Children, Program

BODY_BYTES = 1_000
SESSIONS = 200
MESSAGES = 4_000
LIGHT_MESSAGES = 300
LIGHT_PER_S = 20
RUNS = 3
BATCH = 10
TICKS_PER_S = 100
"""Of /proc/<pid>/stat (proc(5): `_SC_CLK_TCK`, 100 on Linux)."""
WITHIN_S = 300
CONTACT = ContactId("4a573372-1f28-4e26-b97b-0123456789ab")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 -- of the emulator


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one run."""

    cpu_ms: float
    """Per delivered message."""
    per_s: float
    """Delivered per second on this machine, with all else that runs on it."""
    p50_ms: float
    """From the queue to the request, in delivery."""
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Case:
    """What is measured."""

    name: str
    finals: int
    """One in so many messages is a final."""
    light: bool = False


CASES = (
    Case("full batches, 1 final in 4", 4),
    Case("full batches, finals only", 1),
    Case("light load, 1 final in 4", 4, light=True),
)


class Bench:
    """One stack with a receiver."""

    def __init__(self, aws: AwsEndpoint, receiver_url: str, folder: Path) -> None:
        self._aws = aws
        self._url = receiver_url
        self._folder = folder
        self._sqs = aws.sqs()

    def run(self, case: Case) -> Figures:
        """Measures a case once, on queues and a table of its own."""
        stack = resources.create(self._aws, f"bench-{uuid.uuid4().hex[:8]}")
        sessions = [SessionId(uuid.uuid4().hex) for _ in range(SESSIONS)]
        self._add(stack.table_name, sessions)
        count = LIGHT_MESSAGES if case.light else MESSAGES
        messages = list(itertools.islice(_messages(sessions, case.finals), count))
        if not case.light:
            self._send(stack.transcripts_url, messages)
        environment = {
            **self._aws.environment,
            **stack.environment,
            "SIGNING_SECRETS": SECRET,
            "CALLBACK_ALLOWED_NETWORKS": "127.0.0.0/8",
            "CALLBACK_ALLOWED_PORTS": "1-65535",
        }
        before = self._received()
        program = Program("delivery", (sys.executable, "-m", "services.delivery"), environment)
        delivery = Child(program, self._folder / uuid.uuid4().hex)
        try:
            delivery.ready()
            ready_cpu_s, began_s = _cpu_s(delivery.pid), time.monotonic()
            if case.light:
                self._trickle(stack.transcripts_url, messages)
            self._wait_for(before + count, delivery)
            elapsed_s, cpu_s = time.monotonic() - began_s, _cpu_s(delivery.pid) - ready_cpu_s
        finally:
            delivery.stop()
        handling = _handling_ms(delivery.log)
        return Figures(
            cpu_s * 1_000 / count,
            count / elapsed_s,
            statistics.median(handling),
            statistics.quantiles(handling, n=100)[98],
        )

    def _add(self, table: str, sessions: Sequence[SessionId]) -> None:
        for session in sessions:
            header = SessionHeader(
                session_id=session,
                contact_id=CONTACT,
                requested_at_ms=1,
                media=MediaStream(stream_arn="arn", start_fragment_number="1", start_timestamp_ms=1),
                deepgram_parameters=(),
                callback=Callback(url=f"{self._url}/calls/{session}"),
            )
            key = header_key(session)
            item = {"pk": {"S": key.pk}, "sk": {"S": key.sk}, "body": {"S": header.model_dump_json()}}
            self._aws.dynamodb().put_item(TableName=table, Item=item)  # pyright: ignore[reportArgumentType]  # strings

    def _send(self, url: str, messages: Sequence[TranscriptMessage]) -> None:
        for batch in itertools.batched(messages, BATCH, strict=False):
            self._sqs.send_message_batch(
                QueueUrl=url,
                Entries=[
                    {
                        "Id": str(at),
                        "MessageBody": message.model_dump_json(),
                        "MessageGroupId": message.session_id,
                        "MessageDeduplicationId": message.webhook_id,
                    }
                    for at, message in enumerate(batch)
                ],
            )

    def _trickle(self, url: str, messages: Sequence[TranscriptMessage]) -> None:
        began_s = time.monotonic()
        for at, message in enumerate(messages):
            time.sleep(max(0.0, began_s + at / LIGHT_PER_S - time.monotonic()))
            now_ms = time.time_ns() // 1_000_000
            self._send(url, [message.model_copy(update={"received_at_ms": now_ms})])

    def _received(self) -> int:
        """Requests that the receiver has had so far."""
        with urllib.request.urlopen(f"{self._url}/_emulator/count", timeout=10) as answer:  # noqa: S310 -- http
            return int(json.load(answer)["count"])

    def _wait_for(self, count: int, delivery: Child) -> None:
        deadline_s = time.monotonic() + WITHIN_S
        while self._received() < count:
            delivery.check()
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"not all was delivered within {WITHIN_S} s")
            time.sleep(0.05)


def _messages(sessions: Sequence[SessionId], finals: int) -> "itertools.chain[TranscriptMessage]":
    return itertools.chain.from_iterable(
        (_message(session, tick // finals + 1, tick % finals) for session in sessions)
        for tick in itertools.count()
    )


def _message(session: SessionId, n: int, k: int) -> TranscriptMessage:
    result = {"type": "Results", "channel_index": [0, 2], "is_final": k == 0, "start": n, "padding": ""}
    result["padding"] = "x" * (BODY_BYTES - len(json.dumps(result)))
    return TranscriptMessage(
        session_id=session,
        contact_id=CONTACT,
        epoch=1,
        n=n,
        k=k,
        kind="interim" if k else "final",
        message=json.dumps(result),
        received_at_ms=time.time_ns() // 1_000_000 + 3_600_000,  # never old: nothing is conflated
    )


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def _handling_ms(log: Path) -> list[float]:
    values: list[float] = []
    for line in log.read_text(encoding="utf-8").splitlines():
        found = json.loads(line).get("DeliveryHandling") if '"DeliveryHandling"' in line else None
        values += found if isinstance(found, list) else [] if found is None else [found]
    return values


def _median(figures: Sequence[Figures]) -> Figures:
    def of(name: str) -> float:
        return statistics.median(float(getattr(each, name)) for each in figures)

    return Figures(of("cpu_ms"), of("per_s"), of("p50_ms"), of("p99_ms"))


def main(arguments: Sequence[str]) -> int:
    """Prints a table in Markdown: medians, and the spread of the CPU time."""
    runs = int(arguments[0]) if arguments else RUNS
    print("| case | CPU ms per message (least - most) | messages/s per core | p50 ms | p99 ms |")
    print("|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as temporary, Children(Path(temporary) / "receiver") as children:
        folder = Path(temporary)
        receiver = children.start(
            Program("receiver", (sys.executable, "-m", "emulators.receiver", "--secret", SECRET), {})
        )
        url = str(receiver.ready()["url"])
        with embedded_aws(folder / "aws") as aws:
            bench = Bench(aws, url, folder)
            for case in CASES:
                figures = [bench.run(case) for _ in range(runs)]
                least, most = (pick(each.cpu_ms for each in figures) for pick in (min, max))
                median = _median(figures)
                print(
                    f"| {case.name} | {median.cpu_ms:.2f} ({least:.2f} - {most:.2f}) |"
                    f" {1_000 / median.cpu_ms:.0f} | {median.p50_ms:.0f} | {median.p99_ms:.0f} |",
                    flush=True,
                )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
