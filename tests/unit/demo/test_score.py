import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.score import Score, align, normalise, score, total

WORDS = st.lists(st.sampled_from(["a", "b", "c"]), max_size=8)


def test_an_exact_transcript_has_no_errors() -> None:
    assert score("Thank you, goodbye.", "thank you goodbye") == Score(3)


def test_each_kind_of_error_is_counted() -> None:
    assert align(["a", "b", "c", "d"], ["a", "x", "c", "d", "e"]) == Score(4, substitutions=1, insertions=1)
    assert align(["a", "b", "c"], ["c"]) == Score(3, deletions=2)


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("42 Station Road", "forty two station road"),
        ("order 38714", "order three eight seven one four"),
        ("$90", "ninety dollars"),
        ("10%", "ten percent"),
        ("the 21st of June", "the twenty first of june"),
        ("on the 20th", "on the twentieth"),
        ("OK, I’m here", "okay i'm here"),
        ("1,200", "one two zero zero"),
    ],
)
def test_numbers_and_spellings_are_compared_as_words(written: str, spoken: str) -> None:
    assert normalise(written) == normalise(spoken)


def test_the_rate_is_errors_per_reference_word() -> None:
    assert align(["a", "b"], ["a"]).rate == 0.5
    assert align([], []).rate == 0.0
    assert align([], ["a"]).rate == 1.0


def test_scores_add_up() -> None:
    assert total([Score(3, 1, 0, 0), Score(2, 0, 1, 1)]) == Score(5, 1, 1, 1)


@given(reference=WORDS, heard=WORDS)
def test_the_counts_explain_both_lengths(reference: list[str], heard: list[str]) -> None:
    found = align(reference, heard)
    assert found.words == len(reference)
    assert found.words - found.deletions + found.insertions == len(heard)
    assert abs(len(reference) - len(heard)) <= found.errors <= max(len(reference), len(heard))


@given(words=WORDS)
def test_a_text_against_itself_is_right(words: list[str]) -> None:
    assert align(words, words).errors == 0
