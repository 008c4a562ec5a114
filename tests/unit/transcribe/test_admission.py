"""The line at Deepgram's door."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from services.transcribe.admission import RETRY_CAP_S, Admission


def limited(*line: str) -> Admission[str]:
    """A process that was just refused, with these in line, in their order of asking."""
    admission: Admission[str] = Admission()
    for who in line:
        admission.ask(who)
        admission.take(0.0)
    for who in reversed(line):  # answers come in any order
        admission.refused(who, 0.0, 0.5)
    return admission


def test_while_nobody_is_refused_everybody_goes_at_once() -> None:
    admission: Admission[str] = Admission()
    admission.ask("a")
    admission.ask("b")
    assert admission.take(0.0) == ["a", "b"]
    assert admission.deadline is None
    assert admission.take(0.0) == []


def test_whoever_was_refused_stands_in_the_order_of_asking() -> None:
    admission = limited("a", "b", "c")
    assert [admission.ahead(who) for who in "abc"] == [0, 1, 2]
    assert admission.take(0.0) == []
    assert admission.deadline is not None
    assert admission.take(admission.deadline) == ["a"]
    assert admission.take(100.0) == [], "one tries for all"


def test_whoever_comes_later_waits_behind() -> None:
    admission = limited("a")
    admission.ask("b")
    assert admission.take(0.0) == []
    assert admission.ahead("b") == 1
    assert admission.take(1.0) == ["a"]
    assert admission.ahead("b") == 1, "who tries is not admitted yet"


def test_after_one_was_admitted_the_next_tries_at_once() -> None:
    admission = limited("a", "b")
    assert admission.take(1.0) == ["a"]
    admission.answered("a", 2.0, admitted=True)
    assert admission.take(2.0) == ["b"]
    admission.answered("b", 2.0, admitted=True)
    admission.ask("c")
    admission.ask("d")
    assert admission.take(2.0) == ["c", "d"], "without a line there is no limit"


def test_one_that_is_refused_again_keeps_its_place() -> None:
    admission = limited("a", "b")
    assert admission.take(1.0) == ["a"]
    admission.refused("a", 1.0, 0.5)
    assert admission.take(1.0) == []
    assert admission.take(1.0 + RETRY_CAP_S) == ["a"]


def test_the_tries_grow_rarer_up_to_a_bound_and_never_stop() -> None:
    admission, now, waits = limited("a"), 0.0, list[float]()
    for _ in range(50):
        assert admission.deadline is not None
        waits.append(admission.deadline - now)
        now = admission.deadline
        assert admission.take(now) == ["a"]
        admission.refused("a", now, 0.999)
    assert waits[1] < waits[3] < RETRY_CAP_S
    assert max(waits) < RETRY_CAP_S


def test_a_connection_that_ends_lets_the_next_one_try_at_once() -> None:
    admission = limited("a", "b")
    admission.left("somebody else", 0.1)
    assert admission.take(0.1) == ["a"]


def test_whoever_leaves_the_line_holds_up_nobody() -> None:
    admission = limited("a", "b", "c")
    admission.left("b", 0.0)
    assert admission.take(0.0) == ["a"]
    admission.left("a", 0.5)
    assert admission.take(0.5) == ["c"]
    admission.answered("c", 0.6, admitted=False)
    assert admission.deadline is None
    assert admission.take(0.6) == []


@dataclass
class Provider:
    """Deepgram with `places`, and sessions that come and go at given moments."""

    places: int
    admission: Admission[int] = field(default_factory=Admission[int])
    now: float = 0.0
    open: list[int] = field(default_factory=list[int])
    order: list[int] = field(default_factory=list[int])

    def proceed(self) -> None:
        while taken := self.admission.take(self.now):
            for who in taken:
                if len(self.open) < self.places:
                    self.open.append(who)
                    self.order.append(who)
                    self.admission.answered(who, self.now, admitted=True)
                else:
                    self.admission.refused(who, self.now, 0.5)

    def wait(self) -> None:
        if self.admission.deadline is not None:
            self.now = max(self.now, self.admission.deadline)
        self.proceed()


@given(st.integers(1, 4), st.lists(st.booleans(), max_size=60))
def test_sessions_are_admitted_in_the_order_of_asking_whatever_comes_and_goes(
    places: int, comes: list[bool]
) -> None:
    provider, asked = Provider(places), 0
    for come in comes:
        if come:
            provider.admission.ask(asked)
            asked += 1
        elif provider.open:
            provider.admission.left(provider.open.pop(0), provider.now)
        provider.proceed()
        provider.wait()
    while provider.open:
        provider.admission.left(provider.open.pop(0), provider.now)
        provider.proceed()
        provider.wait()
    assert provider.order == list(range(asked))
    assert provider.admission.deadline is None
    assert provider.admission.take(provider.now) == []
