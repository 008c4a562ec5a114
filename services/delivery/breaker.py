"""How many requests an endpoint gets at once, and when it gets none: a pure state machine per endpoint.

The limit is doubled by as many answers as it allows requests and halved by a failure ("additive increase,
multiplicative decrease" of TCP, RFC 5681, 3.1, in its slow start): an endpoint in trouble is soon left alone
by itself. Failures in a row, over some time, open the breaker; then the endpoint is disabled until a probe is
answered.
"""

from dataclasses import dataclass

from services.delivery.outcome import Answered, NotAnswered, NotSent, Outcome
from services.delivery.retry import MAX_RETRY_AFTER_S, is_trouble


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """The figures."""

    first_limit: int = 16
    """Requests at once, to begin with."""
    max_limit: int = 256
    failures_to_open: int = 5
    """In a row, from all sessions of the endpoint."""
    failing_for_s: float = 1.0
    """Since the first of them: the restart of a server is no outage."""
    probe_schedule_s: tuple[float, ...] = (1, 2, 5, 10, 20, 30)
    """Upper bounds of the time before each probe of a disabled endpoint; the last is repeated."""


class Breaker:
    """What an endpoint's answers say about it."""

    def __init__(self, policy: BreakerPolicy) -> None:
        self._policy = policy
        self._limit = float(policy.first_limit)
        self._failures = 0
        self._failing_since_ms = 0
        self._paused_until_ms = 0
        self._is_open = False

    @property
    def is_open(self) -> bool:
        """Whether the endpoint is disabled: only probes may pass."""
        return self._is_open

    @property
    def limit(self) -> int:
        """Requests that it may have at once."""
        return int(self._limit)

    @property
    def paused_until_ms(self) -> int:
        """The endpoint asked for no request before this time, epoch ms."""
        return self._paused_until_ms

    def learn(self, *, is_open: bool) -> None:
        """What all processes know from the store."""
        if self._is_open and not is_open:
            self._limit, self._failures = 1.0, 0
        self._is_open = is_open

    def conclude(self, outcome: Outcome, now_ms: int) -> bool:
        """Learns from an answer; True: the endpoint is to be disabled."""
        if isinstance(outcome, NotSent):
            return False
        if not is_trouble(outcome):
            self._limit = min(self._limit + 1.0, self._policy.max_limit)
            self._failures = 0
            return False
        self._limit = max(1.0, self._limit / 2)
        if isinstance(outcome, Answered) and outcome.retry_after_s:
            pause_s = min(outcome.retry_after_s, MAX_RETRY_AFTER_S)
            self._paused_until_ms = max(self._paused_until_ms, now_ms + round(pause_s * 1_000))
        if not self._failures:
            self._failing_since_ms = now_ms
        self._failures += 1
        lasting = now_ms - self._failing_since_ms >= self._policy.failing_for_s * 1_000
        return not self._is_open and lasting and self._failures >= self._policy.failures_to_open


def cause_of(outcome: Outcome) -> str:
    """A code for what an endpoint did."""
    match outcome:
        case Answered(status):
            return str(status)
        case NotAnswered(cause) | NotSent(cause):
            return cause


def probe_delay_s(probes: int, policy: BreakerPolicy, jitter: float) -> float:
    """Time before the next probe after `probes` of them; at least half of the bound: probes are few."""
    schedule = policy.probe_schedule_s
    return schedule[min(probes, len(schedule) - 1)] * (0.5 + jitter / 2)
