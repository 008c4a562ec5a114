"""Follows a run from outside: what the callback receives and what the bus tells, as any user of it could."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from contracts.events import SessionEnded, SessionFailed
from demo.call import DemoCall
from demo.conversation import Line
from demo.observed import Arrival
from embedded.aws import AwsEndpoint
from emulators.connect.call import Answered, Ended, Happening, Started
from emulators.receiver.recorder import Received

POLL_S = 1
"""Of the queue of events; also how long the end of a run may take."""


class Follower:
    """Keeps the calls of a run up to date and writes what it sees to files."""

    def __init__(self, calls: list[DemoCall], folder: Path) -> None:
        self._calls = calls
        self._callback_log: TextIO = (folder / "callback.jsonl").open("w", buffering=1)
        self._event_log: TextIO = (folder / "events.jsonl").open("w", buffering=1)
        self.changed = asyncio.Event()
        """Set whenever something happened."""
        self.answers_ms: list[float] = []
        """How long the flow waited for the trigger."""
        self.arrivals: list[Arrival] = []
        """Everything that the callback received."""

    def close(self) -> None:
        """Closes the files."""
        self._callback_log.close()
        self._event_log.close()

    def call(self, contact_id: str) -> DemoCall | None:
        """The call of a contact."""
        return next((call for call in self._calls if call.contact_id == contact_id), None)

    def happened(self, happening: Happening) -> None:
        """Takes in what the Connect emulator tells of a call."""
        call = self.call(happening.contact_id)
        if call is None:
            return
        match happening:
            case Started():
                call.began_at_ms = happening.start_at_ms
                call.stream_name = happening.stream_name
                call.status = "ringing"
            case Answered():
                self._answered(call, happening)
            case Ended():
                call.status = "hung up, last words under way"
        self.changed.set()

    def _answered(self, call: DemoCall, happening: Answered) -> None:
        answer = happening.answer
        self.answers_ms.append(answer.elapsed_ms)
        if answer.external.get("lambdaResult") == "success":
            call.status = "live"
        else:
            call.outcome = f"the trigger answered {answer.error or dict(answer.external)}"
            call.status = "refused"

    def received(self, request: Received) -> tuple[DemoCall, Line] | None:
        """Takes in one request of the callback; the line that it made final, if any."""
        message = json.loads(request.body)
        entry = {"received_at_ms": request.received_at_ms, "headers": request.headers, "body": message}
        self._callback_log.write(json.dumps(entry) + "\n")
        call = self.call(request.headers.get("x-contact-id", ""))
        self.arrivals.append(Arrival(request.received_at_ms, call, message))
        line = call.heard.hear(message) if call else None
        self.changed.set()
        return (call, line) if call and line else None

    async def follow_events(self, aws: AwsEndpoint, queue_url: str) -> None:
        """Reads the bus's events from the queue of an extra consumer, until cancelled."""
        sqs = aws.sqs()
        while True:
            answer = await asyncio.to_thread(
                sqs.receive_message, QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=POLL_S
            )
            for message in answer.get("Messages", []):
                self._event(json.loads(message.get("Body", "{}")))
                sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message.get("ReceiptHandle", ""))

    def _event(self, envelope: Mapping[str, Any]) -> None:
        self._event_log.write(json.dumps(envelope) + "\n")
        detail = envelope["detail"]
        call = self.call(detail["contact_id"])
        if call is None:
            return
        if envelope["detail-type"] == SessionEnded.detail_type:
            call.outcome, call.status = "completed", "complete"
        elif envelope["detail-type"] == SessionFailed.detail_type:
            call.outcome, call.status = f"{detail['reason']}: {detail['explanation']}", "failed"
        self.changed.set()
