"""Card data: what is said during a pause never reaches Deepgram, and all the rest does."""

from collections.abc import Mapping
from itertools import pairwise
from random import Random

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.intents import ContactIntents, PauseIntent
from contracts.model import ContactId
from contracts.session import Paused, Resumed, SessionState
from services.transcribe.obedience import FRESH_S, Obedience, Silence, hushed
from tests.unit.transcribe.ear import SaidWord, make_call
from tests.unit.transcribe.world import EPOCH_MS, Faults, World

SEEDS = st.integers(0, 2**32)
SIMULATED = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
CONTACT = ContactId("c")


def at_ms(seconds: float) -> int:
    return EPOCH_MS + round(seconds * 1000)


def intents(revision: int, *pauses: tuple[float, float | None]) -> ContactIntents:
    """Pauses in seconds of the call."""
    return ContactIntents(
        contact_id=CONTACT,
        revision=revision,
        pauses=tuple(
            PauseIntent(
                from_ms=at_ms(start),
                to_ms=None if end is None else at_ms(end),
            )
            for start, end in pauses
        ),
    )


def heard(world: World) -> set[tuple[int, str]]:
    """Channel and name of every word of which one sample or more went to a Deepgram."""
    names: set[tuple[int, str]] = set()
    for node in world.nodes:
        for _, stereo in node.sent:
            for channel in range(2):
                names |= {(channel, str(value)) for value in np.unique(stereo[:, channel]) if value}
    return names


def check(world: World, asked: tuple[int, int], unsent: tuple[int, int]) -> None:
    """In samples: `asked` is silent by the intents, `unsent` is what of it nobody had sent before."""
    sent, words = heard(world), world.words()
    outside: list[SaidWord] = []
    for word in world.call.words:
        if word.start >= unsent[0] and word.end <= unsent[1]:
            assert (word.channel, word.name) not in sent, word
        elif word.end <= asked[0] or word.start >= asked[1]:
            outside.append(word)
    for channel in range(2):
        expected = [word for word in outside if word.channel == channel]
        assert [word for word in words if word.channel == channel and word in outside] == expected


def records(world: World) -> tuple[list[int], list[int]]:
    began = [record.at_samples for record in world.records if isinstance(record, Paused)]
    ended = [record.at_samples for record in world.records if isinstance(record, Resumed)]
    return began, ended


@SIMULATED
@given(SEEDS)
def test_a_pause_that_was_asked_for_before_the_session_began_is_exact(seed: int) -> None:
    world = World(seed, make_call(Random(seed), 20), Faults(drop=0.02, append=0.1))
    start, end = world.dice.uniform(0, 8), world.dice.uniform(9, 15)
    world.intents = intents(2, (start, end))
    world.claim()
    for _ in range(2):
        world.run(world.dice.uniform(1, 8))
        world.claim()
    world.run(120)
    ((began,), (ended,)) = records(world)
    exact = (round(start * 1000) * 8, round(end * 1000) * 8)
    assert (began, ended) == exact
    check(world, exact, exact)


@SIMULATED
@given(SEEDS)
def test_a_pause_in_mid_call_holds_through_drops_and_take_overs(seed: int) -> None:
    world = World(seed, make_call(Random(seed), 30), Faults(drop=0.02, append=0.1, publish=0.1))
    world.claim()
    world.run(world.dice.uniform(3, 8))
    start, edge = world.time_s - 2, world.heard_until
    world.intents = intents(1, (start, None))
    world.run(world.dice.uniform(0.5, 4))
    if world.dice.random() < 0.7:
        world.claim()
    world.run(world.dice.uniform(0.5, 4))
    end = world.time_s + 2
    world.intents = intents(2, (start, end))
    world.run(world.dice.uniform(0.1, 4))
    if world.dice.random() < 0.5:
        world.claim()
    world.run(120)
    ((began,), (ended,)) = records(world)
    asked = (round(start * 1000) * 8, round(end * 1000) * 8)
    assert ended == asked[1]
    assert asked[0] <= began <= edge
    check(world, asked, (edge, ended))


@SIMULATED
@given(SEEDS)
def test_what_a_successor_sends_again_is_silent_in_the_pause(seed: int) -> None:
    """The first writer dies with the pause known to nobody but the store."""
    world = World(seed, make_call(Random(seed), 25), slowness=20)
    first = world.claim()
    assert first is not None
    world.run(world.dice.uniform(8, 12))
    first.frozen = True
    start, end = world.time_s - 2, world.time_s + 6
    world.intents = intents(2, (start, end))
    world.run(1)
    world.claim()
    world.run(180)
    began, ended = records(world)
    asked = (round(start * 1000) * 8, round(end * 1000) * 8)
    assert (began, ended) == ([asked[0]], [asked[1]])
    sent = [stereo for node in world.nodes[1:] for _, stereo in node.sent]
    for word in world.call.words:
        if word.start >= asked[0] and word.end <= asked[1]:
            assert not any((stereo[:, word.channel] == int(word.name)).any() for stereo in sent)


@given(
    st.binary(max_size=400).map(lambda raw: raw[: len(raw) // 4 * 4]),
    st.integers(0, 50),
    st.lists(st.tuples(st.integers(0, 150), st.none() | st.integers(0, 150)), max_size=4),
)
def test_silence_falls_on_its_samples_and_on_no_others(
    pcm: bytes, position: int, spans: list[tuple[int, int | None]]
) -> None:
    silences = [Silence(*span) for span in spans]
    quiet = hushed(pcm, position, silences)
    assert len(quiet) == len(pcm)
    for number in range(len(pcm) // 4):
        at = position + number
        silent = any(s.start <= at and (s.end is None or at < s.end) for s in silences)
        sample = pcm[number * 4 : number * 4 + 4]
        assert quiet[number * 4 : number * 4 + 4] == (bytes(4) if silent else sample)


STATE = SessionState(writer="w", epoch=1, t0_ms=None, covered_samples=(0, 0))


def test_intents_have_no_place_before_there_is_a_first_sample_and_are_confirmed_all_the_same() -> None:
    obedience = Obedience(STATE, requested_at_ms=EPOCH_MS)
    assert not obedience.fresh(0.0)
    obedience.read(intents(3, (1, None)), 0.0)
    assert obedience.fresh(0.0)
    before = obedience.place(None, 0)
    assert (before.paused_at, before.change["intents_revision"]) == ((), 3)
    after = obedience.place(EPOCH_MS, 0)
    assert after.paused_at == (8_000,)
    assert obedience.silences == (Silence(8_000, None),)
    assert obedience.place(EPOCH_MS, 800).change == {}


def test_what_is_asked_is_known_for_some_seconds_after_it_was_read_and_no_longer() -> None:
    obedience = Obedience(STATE, requested_at_ms=EPOCH_MS)
    assert not obedience.confirm(99.0), "nothing was read yet"
    obedience.read(None, 100.0)
    assert obedience.fresh(100.0 + FRESH_S - 0.1)
    assert not obedience.fresh(100.0 + FRESH_S)
    assert obedience.confirm(104.0)
    assert obedience.fresh(104.0 + FRESH_S - 0.1)
    assert not obedience.confirm(104.0 + FRESH_S), "after so long it has to be read anew"
    assert not obedience.fresh(104.0 + FRESH_S)
    obedience.read(None, 110.0)
    assert obedience.fresh(110.0)


@given(st.lists(st.integers(0, 40), min_size=2, max_size=8).map(sorted), st.integers(0, 40))
def test_every_pause_of_the_intents_is_one_of_the_state(edges: list[int], cursor: int) -> None:
    obedience = Obedience(STATE, requested_at_ms=EPOCH_MS)
    pairs = list(pairwise(edges))[::2]
    obedience.read(intents(1, *pairs), 0.0)
    obeyed = obedience.place(EPOCH_MS, cursor * 8_000)
    change: Mapping[str, object] = obeyed.change
    pauses = SessionState.model_validate({**STATE.model_dump(), **change}).pauses
    assert len(pauses) == len(pairs)
    for pause, (start, end) in zip(pauses, pairs, strict=True):
        assert pause.to_samples is not None
        assert start * 8_000 <= pause.from_samples <= pause.to_samples
        assert pause.to_samples in (end * 8_000, pause.from_samples)
    assert len(obeyed.paused_at) == len(obeyed.resumed_at)


def test_a_successor_says_nothing_again_that_the_log_says() -> None:
    obedience = Obedience(STATE, requested_at_ms=EPOCH_MS)
    obedience.read(intents(1, (1, 2)), 0.0)
    state = STATE.model_copy(update=obedience.place(EPOCH_MS, 0).change)
    successor = Obedience(state, requested_at_ms=EPOCH_MS)
    successor.read(intents(1, (1, 2)), 0.0)
    assert successor.place(EPOCH_MS, 0).change == {}
    assert successor.silences == (Silence(8_000, 16_000),)
