"""What callbacks are owed: sessions that wait, messages that were given up, endpoints that fail. Pure."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from contracts.delivery import DisabledEndpoint, ParkedSession, UndeliveredMessage
from contracts.session import DeliveryMark, SessionHeader


@dataclass(frozen=True, slots=True)
class Delivery:
    """One session's."""

    header: SessionHeader
    mark: DeliveryMark | None
    parked: ParkedSession | None
    undelivered: Sequence[UndeliveredMessage]

    @property
    def is_owing(self) -> bool:
        """Whether its callback has not got all that it should have by now."""
        return bool(self.parked or self.undelivered)


def as_json(deliveries: Sequence[Delivery], endpoints: Sequence[DisabledEndpoint]) -> str:
    """For programs: one document."""
    document = {
        "disabled_endpoints": [endpoint.model_dump(mode="json") for endpoint in endpoints],
        "sessions": [
            {
                "session_id": each.header.session_id,
                "contact_id": each.header.contact_id,
                "delivered_up_to_n": each.mark.n if each.mark else 0,
                "parked": each.parked.model_dump(mode="json") if each.parked else None,
                "undelivered": [message.model_dump(mode="json") for message in each.undelivered],
            }
            for each in deliveries
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def as_list(deliveries: Sequence[Delivery], endpoints: Sequence[DisabledEndpoint]) -> str:
    """For reading: a line per endpoint that fails and per session that is owed something."""
    return "\n".join([*_endpoint_lines(endpoints), *map(_session_line, deliveries)] or ["nothing"]) + "\n"


def as_details(deliveries: Sequence[Delivery]) -> str:
    """For reading: everything about some sessions."""
    return "\n".join("\n".join(_detail_lines(each)) for each in deliveries) + "\n"


def _endpoint_lines(endpoints: Sequence[DisabledEndpoint]) -> Iterator[str]:
    for each in endpoints:
        since, probe = _instant(each.disabled_at_ms), _instant(each.probe_at_ms)
        yield f"endpoint {each.endpoint} disabled since {since} ({each.cause}), next probe {probe}"


def _session_line(delivery: Delivery) -> str:
    header, states = delivery.header, list[str]()
    if delivery.parked:
        states.append(f"waits since {_instant(delivery.parked.parked_at_ms)} ({delivery.parked.cause})")
    if delivery.undelivered:
        reasons = ", ".join(sorted({message.reason for message in delivery.undelivered}))
        states.append(f"{len(delivery.undelivered)} given up ({reasons})")
    return f"session {header.session_id}, contact {header.contact_id}: {'; '.join(states) or 'up to date'}"


def _detail_lines(delivery: Delivery) -> Iterator[str]:
    yield _session_line(delivery)
    yield f"  delivered up to record {delivery.mark.n if delivery.mark else 0}"
    parked = delivery.parked
    if parked:
        yield (
            f"  waits for {parked.endpoint}: {parked.attempts} attempts, last status"
            f" {parked.last_status or 'none'}, tried again at the latest {_instant(parked.wake_at_ms)}"
        )
    for message in delivery.undelivered:
        yield (
            f"  record {message.n} given up {_instant(message.given_up_at_ms)}: {message.reason},"
            f" {message.attempts} attempts, last status {message.last_status or 'none'}, {message.endpoint}"
        )


def _instant(epoch_ms: int) -> str:
    return datetime.fromtimestamp(epoch_ms / 1_000, UTC).isoformat(timespec="seconds")
