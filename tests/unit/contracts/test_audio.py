from hypothesis import given
from hypothesis import strategies as st

from contracts.audio import Channel, samples_of_ms, samples_of_seconds, seconds_of_samples


@given(st.integers(0, 8_000 * 3_600 * 24))
def test_a_position_survives_its_way_through_seconds(samples: int) -> None:
    assert samples_of_seconds(seconds_of_samples(samples)) == samples


def test_a_block_of_64_ms_has_512_samples() -> None:
    assert samples_of_ms(64) == 512


def test_the_customer_is_channel_0() -> None:
    assert [(channel.value, channel.speaker) for channel in Channel] == [(0, "customer"), (1, "agent")]
