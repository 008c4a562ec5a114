"""Audio files as calls, and how calls are cut into blocks."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile  # pyright: ignore[reportMissingTypeStubs]  # ships none
from numpy.typing import NDArray

from emulators.connect.audio import PcmSource, UnreadableAudio, load
from emulators.connect.blocks import Cut, moments, sides

RNG = np.random.default_rng(3)


def stereo_of(pcm: bytes) -> NDArray[np.int16]:
    return np.frombuffer(pcm, "<i2").reshape(-1, 2)


def tone(rate_hz: int, hz: float, seconds: float = 1.0) -> NDArray[np.float64]:
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(int(rate_hz * seconds)) / rate_hz)


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_eight_kilohertz_files_are_taken_as_they_are(tmp_path: Path, suffix: str) -> None:
    samples = RNG.integers(-32_768, 32_768, (4_001, 2)).astype(np.int16)
    path = tmp_path / f"call.{suffix}"
    soundfile.write(str(path), samples, 8_000)
    assert (stereo_of(load(path)) == samples).all()


def test_a_mono_file_is_a_customer_alone(tmp_path: Path) -> None:
    samples = RNG.integers(-32_768, 32_768, 500).astype(np.int16)
    soundfile.write(str(tmp_path / "call.wav"), samples, 8_000)
    heard = stereo_of(load(tmp_path / "call.wav"))
    assert (heard[:, 0] == samples).all()
    assert not heard[:, 1].any()


@pytest.mark.parametrize("rate_hz", [6_000, 11_025, 16_000, 22_050, 44_100, 48_000])
def test_other_rates_are_converted(tmp_path: Path, rate_hz: int) -> None:
    samples = np.column_stack((tone(rate_hz, 440), tone(rate_hz, 1_000)))
    soundfile.write(str(tmp_path / "call.wav"), samples, rate_hz, subtype="FLOAT")
    heard = stereo_of(load(tmp_path / "call.wav")) / 32_768
    assert len(heard) == 8_000
    wanted = np.column_stack((tone(8_000, 440), tone(8_000, 1_000)))
    assert np.abs(heard - wanted)[200:-200].max() < 0.002


def test_what_eight_kilohertz_cannot_hold_is_filtered_out(tmp_path: Path) -> None:
    samples = np.column_stack((tone(48_000, 5_000), tone(48_000, 12_000)))
    soundfile.write(str(tmp_path / "call.wav"), samples, 48_000, subtype="FLOAT")
    heard = stereo_of(load(tmp_path / "call.wav"))[200:-200] / 32_768
    assert np.abs(heard).max() < 0.001


def test_ogg_is_read(tmp_path: Path) -> None:
    soundfile.write(str(tmp_path / "call.ogg"), np.column_stack((tone(16_000, 440),) * 2), 16_000)
    heard = stereo_of(load(tmp_path / "call.ogg")) / 32_768
    assert abs(np.abs(heard[1_000:-1_000]).max() - 0.5) < 0.05


def test_a_loud_file_is_clipped_and_not_wrapped(tmp_path: Path) -> None:
    soundfile.write(str(tmp_path / "call.wav"), np.ones((2_000, 2)) * 1.5, 16_000, subtype="FLOAT")
    assert stereo_of(load(tmp_path / "call.wav"))[100:-100].min() == 32_767


def test_files_that_are_no_call_are_refused_with_a_reason(tmp_path: Path) -> None:
    def refused(name: str) -> str:
        with pytest.raises(UnreadableAudio) as caught:
            load(tmp_path / name)
        return str(caught.value)

    (tmp_path / "noise.wav").write_bytes(b"noise")
    soundfile.write(str(tmp_path / "many.wav"), np.zeros((10, 6)), 8_000)
    soundfile.write(str(tmp_path / "empty.wav"), np.zeros((0, 2)), 8_000)
    os.mkfifo(tmp_path / "pipe.wav")
    assert "there is no file" in refused("missing.wav")
    assert "is not a file" in refused("")
    assert "is not a file" in refused("pipe.wav")
    assert "is not audio" in refused("noise.wav")
    assert "has 6 channels" in refused("many.wav")
    assert "is empty" in refused("empty.wav")


def test_sides_are_split_sample_by_sample() -> None:
    assert sides(b"\x01\x02\x03\x04\x05\x06\x07\x08") == (b"\x01\x02\x05\x06", b"\x03\x04\x07\x08")


@pytest.mark.parametrize("samples", [0, 1, 311, 312, 313, 511, 512, 2_560, 2_873, 10_000])
@pytest.mark.parametrize("odd", [0, 312])
def test_every_sample_is_in_one_block_and_less_than_a_block_is_added(samples: int, odd: int) -> None:
    pcm = RNG.bytes(4 * samples)
    cut = list(moments(PcmSource(pcm), Cut(odd_samples=odd)))
    for lane, side in enumerate(sides(pcm)):
        blocks = [moment.blocks[lane] for moment in cut]
        heard = b"".join(block.pcm for block in blocks)
        assert heard.startswith(side)
        assert not any(heard[len(side) :])
        assert len(heard) - len(side) < 1_024
        starts = [block.at_samples for block in blocks]
        assert starts == [sum(len(block.pcm) // 2 for block in blocks[:n]) for n in range(len(blocks))]
    if odd and samples > 2_873:
        assert [len(moment.blocks[0].pcm) for moment in cut[-6:]] == [624] + [1_024] * 5


def test_a_source_of_half_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="four bytes"):
        PcmSource(b"\x00\x00")


def test_an_odd_block_is_shorter_than_the_others() -> None:
    with pytest.raises(ValueError, match="below"):
        Cut(odd_samples=512)
