"""Words that are looked for: none in another, none twice, the same for the same seed."""

from __future__ import annotations

from itertools import islice, permutations

from sessionproof.workload.lookups import (
    Bound,
    Find,
    asked_at_the_end,
    logical_text,
    made_words,
)


def test_no_word_is_in_another():
    """Whether a search finds words or parts of them, it finds the same."""
    words = [*islice(made_words(1), 200)]
    assert not any(one in other for one, other in permutations(words, 2))
    assert all(word.isascii() and word.isalpha() and word.islower() for word in words)


def test_words_come_from_the_seed():
    """The same seed makes the same words, another one others."""
    first, again, other = ([*islice(made_words(seed), 5)] for seed in (1, 1, 2))
    assert first == again
    assert not set(first) & set(other)


def test_a_program_has_words_of_its_own():
    """Logical words keep their word within a program; the next program has others."""
    words = made_words(3)
    one, other = Bound(words), Bound(words)
    text = one.text("(c0) w1: w1!")
    assert text == f"({one.word('c0')}) {one.word('w1')}: {one.word('w1')}!"
    assert one.word("w1") != other.word("w1")


def test_each_text_has_its_own_word_and_a_common_one():
    """In four forms, so that punctuation, repetition and lines are among them."""
    texts = [logical_text(number) for number in range(12)]
    assert len({text.replace(f"w{at}", "w") for at, text in enumerate(texts)}) == 12
    assert all(f"w{at}" in text and f"c{at % 3}" in text for at, text in enumerate(texts))


def test_all_is_asked_at_the_end():
    """Each word alone, pairs that a text has, and pairs that none has."""
    asked = [*asked_at_the_end(3)]
    assert {Find(("w2",)), Find(("c0",)), Find(("w1", "c1")), Find(("w0", "w1"))} <= set(asked)
    assert len(asked) == len(set(asked)) == 3 + 3 + 2 * 2
