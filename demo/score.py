"""Word error rate: how far a transcript is from what was said. Pure.

Both texts are first brought to one form: lower case, no punctuation, numbers as words ("42" and "forty two"
are the same, as are "ok" and "okay"), since a service may write either.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_TOKEN = re.compile(r"\$?\d+(?:st|nd|rd|th)?%?|[a-z]+(?:'[a-z]+)*")
_NUMBER = re.compile(r"(\$?)(\d+)(st|nd|rd|th)?(%?)")
_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
    *("twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_SAME = {"ok": "okay", "cancelled": "canceled"}


@dataclass(frozen=True, slots=True)
class Score:
    """Errors against `words` reference words; scores of several texts add up."""

    words: int
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0

    @property
    def errors(self) -> int:
        """Words wrong, missing or too many."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """The word error rate, 0.1 being 10 %; of no words at all, 0 without errors and else 1."""
        return self.errors / self.words if self.words else float(self.errors > 0)

    def __add__(self, other: "Score") -> "Score":
        return Score(
            self.words + other.words,
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
        )


def normalise(text: str) -> list[str]:
    """The words of a text in the form in which they are compared."""
    words: list[str] = []
    for found in _TOKEN.finditer(text.lower().replace("’", "'").replace(",", "")):
        token = found[0]
        number = _NUMBER.fullmatch(token)
        words += _number(number) if number else [_SAME.get(token, token)]
    return words


def _number(number: re.Match[str]) -> list[str]:
    dollar, digits, ordinal, percent = (number[n] or "" for n in range(1, 5))
    words = _cardinal(digits)
    if ordinal:
        last = words[-1]
        words[-1] = _ORDINALS.get(last, f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")
    return [*words, *(["dollars"] if dollar else []), *(["percent"] if percent else [])]


def _cardinal(digits: str) -> list[str]:
    """Up to 99 as one says it; longer ones digit by digit, as one says the number of an order."""
    if len(digits) > 2 or (digits.startswith("0") and digits != "0"):
        return [_ONES[int(digit)] for digit in digits]
    tens, ones = divmod(int(digits), 10)
    if int(digits) < len(_ONES):
        return [_ONES[int(digits)]]
    return [_TENS[tens], *([_ONES[ones]] if ones else [])]


def score(reference: str, heard: str) -> Score:
    """Compare two texts as they are written."""
    return align(normalise(reference), normalise(heard))


def align(reference: Sequence[str], heard: Sequence[str]) -> Score:
    """Align two lists of words with the fewest errors, and count these."""
    row = [Score(0, insertions=n) for n in range(len(heard) + 1)]
    for expected in reference:
        diagonal, row[0] = row[0], row[0] + Score(1, deletions=1)
        for n, word in enumerate(heard, 1):
            above = row[n]
            if word == expected:
                best = diagonal + Score(1)
            else:
                best = min(
                    diagonal + Score(1, substitutions=1),
                    above + Score(1, deletions=1),
                    row[n - 1] + Score(0, insertions=1),
                    key=lambda candidate: candidate.errors,
                )
            diagonal, row[n] = above, best
    return row[-1]


def total(scores: Iterable[Score]) -> Score:
    """All of them together."""
    return sum(scores, Score(0))
