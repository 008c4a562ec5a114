import socket
from contextlib import closing
from pathlib import Path

import pytest

from demo.command import fresh_folder, main


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("NO_PROXY", "no_proxy"):  # so that what the command adds is taken back
        monkeypatch.setenv(name, "")


@pytest.mark.parametrize(
    ("written", "said"),
    [(None, "there is no file"), (b"no audio", "is not audio of a kind that can be read")],
)
def test_audio_that_cannot_be_played_is_named(
    written: bytes | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "own.wav"
    if written is not None:
        path.write_bytes(written)
    assert main([str(path)]) == 2
    assert said in capsys.readouterr().out.replace("\n", " ")


def test_a_deepgram_where_nobody_listens_is_named_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("DEEPGRAM_API_KEY", "k")
    monkeypatch.setenv("DEEPGRAM_API", f"ws://127.0.0.1:{port}/v1/listen")
    assert main([]) == 2
    assert "cannot be reached at ws://127.0.0.1" in capsys.readouterr().out.replace("\n", " ")


@pytest.mark.parametrize("api", ["https://api.deepgram.com", "api.deepgram.com", "wss://", "ws://h:99999/"])
def test_an_address_that_is_no_websockets_is_named(
    api: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DEEPGRAM_API_KEY", "k")
    monkeypatch.setenv("DEEPGRAM_API", api)
    assert main([]) == 2
    assert "DEEPGRAM_API is" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["no[/]such.wav", "a[red]b.wav", ":smile:.wav", "-dash.wav"])
def test_a_files_name_is_told_as_it_is(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--", name]) == 2
    assert capsys.readouterr().out == f"there is no file {name}\n"


def test_a_second_demo_in_a_folder_is_refused_and_leaves_the_first_ones_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with fresh_folder() as folder:
        (folder / "call-1.txt").touch()
        assert main([]) == 2
        assert (folder / "call-1.txt").exists()
    assert "another demo runs here" in capsys.readouterr().out
    with fresh_folder() as folder:
        assert list(folder.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == [".demo"]
