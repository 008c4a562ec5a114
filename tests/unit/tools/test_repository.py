import pytest

from tools.repository import findings

AWAY = "/home"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("index = " + "py" + "pi.org", "the host of a package registry"),
        ("pip install --index" + "-url x", "the address of a package index"),
        ('"resolved": ' + '"https' + '://mirror/x"', "the address of a package index"),
        ("https" + "://mirror.example/simple/", "the address of a package index"),
        ("https" + "://mirror.example/a-1.0.whl", "the address of a download"),
        (f"open {AWAY}/ada/calls.wav", "a path of one person's machine"),
        ("# TO" + "DO: later", "a note to come back"),
    ],
)
def test_what_must_not_be_committed_is_found_where_it_stands(line: str, what: str) -> None:
    assert [(found.line, found.what) for found in findings("a.py", f"fine\n{line}\n")] == [(2, what)]


@pytest.mark.parametrize(
    "line",
    [
        "https://docs.aws.amazon.com/kinesisvideostreams/latest/dg/API_dataplane_GetMedia.html",
        "uv pip compile --no-emit-index-url",
        "~/.pyenv, $HOME/.pyenv, services/home/page.py",
        "a simple/plain thing; the todo list of the caller",
    ],
)
def test_ordinary_prose_is_left_alone(line: str) -> None:
    assert list(findings("a.md", line)) == []
