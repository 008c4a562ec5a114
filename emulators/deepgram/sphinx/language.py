"""A bigram model and a pronouncing dictionary cut to a few hundred sentences. Pure: text in, text out.

Over a telephone line, open vocabulary recognition with the embedded acoustic model gets every second word
wrong; with this small vocabulary nearly every word is right. What is not in it comes out as confident
nonsense, hence the label "demo vocabulary" wherever results are shown.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

STRIDES = (37, 101)  # how far apart in the text the sentences are that are joined
DISCOUNT = 0.5  # taken from each bigram's count and given to pairs of words that were never seen
_START, _END = "<s>", "</s>"


class UnknownWordsError(ValueError):
    """The sentences hold words that the dictionary cannot pronounce."""


def read_sentences(text: str) -> list[list[str]]:
    """One sentence per line, lower case, without punctuation."""
    return [line.split() for line in text.splitlines() if line.strip()]


def joined(sentences: Sequence[Sequence[str]]) -> list[list[str]]:
    """The sentences, and pairs of them: people say several in one breath."""
    count = len(sentences)
    pairs = ([*sentences[n], *sentences[(n + stride) % count]] for stride in STRIDES for n in range(count))
    return [*(list(sentence) for sentence in sentences), *pairs]


def bigram_model(sentences: Sequence[Sequence[str]]) -> str:
    """An ARPA bigram model with absolute discounting and back-off to add-one unigrams."""
    ones: Counter[str] = Counter()
    twos: Counter[tuple[str, str]] = Counter()
    for sentence in sentences:
        padded = [_START, *sentence, _END]
        ones.update(padded)
        twos.update(pairwise(padded))
    total = sum(count + 1 for word, count in ones.items() if word != _START)
    unigram = {word: (count + 1) / total for word, count in ones.items()}
    unigram[_START] = 1e-9  # is never predicted
    lines = ["\\data\\", f"ngram 1={len(unigram)}", f"ngram 2={len(twos)}", "", "\\1-grams:"]
    followers = _followers(twos)
    for word in sorted(unigram):
        backoff = _backoff(ones[word], followers.get(word, ()), unigram)
        lines.append(f"{math.log10(unigram[word]):.4f} {word} {math.log10(backoff):.4f}")
    lines += ["", "\\2-grams:"]
    for (first, second), count in sorted(twos.items()):
        lines.append(f"{math.log10((count - DISCOUNT) / ones[first]):.4f} {first} {second}")
    return "\n".join([*lines, "", "\\end\\", ""])


def _followers(twos: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    followers: dict[str, list[str]] = {}
    for first, second in twos:
        followers.setdefault(first, []).append(second)
    return followers


def _backoff(count: int, followers: Sequence[str], unigram: Mapping[str, float]) -> float:
    """The weight that makes the probabilities after a word add up to one."""
    if not followers:
        return 1.0
    unseen = 1.0 - sum(unigram[word] for word in followers)
    return max(1e-6, DISCOUNT * len(followers) / count / max(unseen, 1e-6))


def cut_dictionary(lines: Iterable[str], words: Iterable[str]) -> str:
    """Keep the pronunciations of `words`, alternatives (`word(2)`) too; raises `UnknownWordsError`."""
    wanted = set(words)
    kept = list(_pronunciations(lines, wanted))
    missing = wanted - {line.split(None, 1)[0] for line in kept}
    if missing:
        raise UnknownWordsError(f"no pronunciation: {', '.join(sorted(missing))}")
    return "\n".join([*kept, ""])


def _pronunciations(lines: Iterable[str], wanted: set[str]) -> Iterator[str]:
    for line in lines:
        name = line.split(None, 1)[0] if line.strip() else ""
        if name.partition("(")[0] in wanted:
            yield line.rstrip("\n")
