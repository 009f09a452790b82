"""Words that are looked for, and the texts that have them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from sessionproof.contract.seed import generator

_CONSONANTS, _VOWELS, _LAST = "bdfghklmnprtvz", "aiou", "bgkpvz"
_LENGTH = 4  # syllables


@dataclass(frozen=True, slots=True)
class Find:
    """A step of a program: look for these words; they stand for others, as ``bound`` says."""

    words: tuple[str, ...]


def made_words(seed: int) -> Iterator[str]:
    """Words without end, none twice, that no way to split a text can differ about.

    They are of one length, so none is in another, and of no language: nothing is left out as too
    frequent, or taken for another form of the same.
    """
    random, known = generator(seed, "words"), set[str]()
    while True:
        word = "".join(
            random.choice(_CONSONANTS) + random.choice(_VOWELS) for _ in range(_LENGTH)
        ) + random.choice(_LAST)
        if word not in known:
            known.add(word)
            yield word


class Bound:
    """Logical words (w0, c1) of one program as words that no other program has."""

    def __init__(self, words: Iterator[str]) -> None:
        self._words = words
        self._known: dict[str, str] = {}

    def word(self, logical: str) -> str:
        """The word that stands for it."""
        if logical not in self._known:
            self._known[logical] = next(self._words)
        return self._known[logical]

    def text(self, logical: str) -> str:
        """A text with each of its logical words exchanged."""
        return _LOGICAL.sub(lambda match: self.word(match[0]), logical)


_LOGICAL = re.compile(r"\b[wc]\d+\b")


def logical_text(number: int) -> str:
    """The text of the message of this number: a word of its own among words of many.

    Written as people do: capitals, a full stop, the word twice now and then.
    """
    common = f"c{number % 3}"
    forms = (
        f"{common} w{number}",
        f"w{number}, then {common}.",
        f"({common}) \u201cw{number}\u201d: w{number}!\nw{number}",
        f"{common} {common}\tw{number}?",
    )
    return forms[number % len(forms)]


def asked_at_the_end(number: int) -> Iterator[Find]:
    """All that is looked for when a program with so many messages is done."""
    yield from (Find((f"c{at}",)) for at in range(3))
    yield from (Find((f"w{at}",)) for at in range(number))
    for at, other in itertools.pairwise(range(number)):
        yield Find((f"w{at}", f"c{at % 3}"))
        yield Find((f"w{at}", f"w{other}"))
