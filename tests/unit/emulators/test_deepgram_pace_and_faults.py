import pytest

from emulators.deepgram.faults import BadFaultError, Fault, Faults, Order, parse_order
from emulators.deepgram.pace import Pace
from emulators.deepgram.query import Query, Refusal, parse_query


def query(tag: str = "a") -> Query:
    found = parse_query(f"/v1/listen?encoding=linear16&sample_rate=8000&tag={tag}")
    assert isinstance(found, Query)
    return found


def send(pace: Pace, factor: float, seconds: int) -> int:
    """Sends 100 ms of audio `factor` times as fast as real time; returns the violations."""
    for n in range(seconds * 10):
        pace.audio(0.1, now=n * 0.1 / factor)
    return pace.violations


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.25])
def test_a_quarter_above_real_time_is_allowed_for_ever(factor: float) -> None:
    assert send(Pace(), factor, 600) == 0


def test_more_is_noticed_within_seconds() -> None:
    pace = Pace()
    assert send(pace, 1.5, 10) > 0
    assert pace.worst_ahead_s > 1.0


def test_a_pause_allows_no_more_than_the_grace() -> None:
    pace = Pace()
    pace.audio(0.1, now=0.0)
    assert [pace.audio(0.5, now=100.0) for _ in range(3)] == [False, False, True]


def test_a_fault_of_the_next_connections_is_used_up() -> None:
    faults = Faults()
    faults.add(Order(Fault("drop"), "next", count=2))
    assert [faults.fault(query()) for _ in range(3)] == [Fault("drop"), Fault("drop"), None]


def test_a_fault_of_every_connection_lasts_until_cleared() -> None:
    faults = Faults()
    faults.add(Order(Fault("stall"), "every"))
    assert [faults.fault(query()) for _ in range(3)] == [Fault("stall")] * 3
    faults.clear()
    assert faults.fault(query()) is None


def test_a_fault_for_a_tag_leaves_others_alone() -> None:
    faults = Faults()
    faults.add(Order(Fault("drop"), tag="b"))
    assert faults.fault(query("a")) is None
    assert faults.fault(query("b")) == Fault("drop")


def test_refusals_and_other_faults_wait_apart() -> None:
    faults = Faults()
    faults.add(Order(Fault("refuse", status=503, reason="outage")))
    assert faults.fault(query()) is None
    assert faults.refusal(query()) == Refusal(503, "EMULATED_FAULT", "outage")
    assert faults.refusal(query()) is None


def test_an_order_is_read_from_the_admin_query() -> None:
    found = parse_order({"kind": "close", "code": "1012", "scope": "all", "after_s": "2.5", "tag": "x"})
    assert found == Order(Fault("close", after_s=2.5, code=1012), "all", tag="x")


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"kind": "explode"},
        {"kind": "drop", "scope": "some"},
        {"kind": "drop", "count": "0"},
        {"kind": "drop", "after_s": "soon"},
        {"kind": "refuse", "scope": "all"},
        {"kind": "refuse", "status": "200"},
        {"kind": "close", "code": "1006"},
        {"kind": "close", "reason": "a\r\nb"},
        {"kind": "drop", "when": "now"},
    ],
)
def test_an_order_that_makes_no_sense_is_refused(values: dict[str, str]) -> None:
    with pytest.raises(BadFaultError):
        parse_order(values)
