"""Queries as people type them, and what should be found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle

from sessionproof.contract.message import Message
from sessionproof.contract.operations import Append
from sessionproof.trials.lateness import is_late
from sessionproof.trials.lookups import ALL, Chat, says
from sessionproof.trials.single import Trial
from sessionproof.workload.hostile import PATTERNS, PAYLOADS, TEXTS

FORMS: tuple[str, ...] = (
    "{a}-{b}", "-{a} {b}", "{a} -{b}", "+{a} +{b}", "{a} AND {b}", "{a} OR {b}", "{a} NOT {b}",
    "NOT {a} {b}", "{a} NEAR {b}", "NEAR({a} {b}, 2)", '"{a} {b}"', '"{a} {b}', '"{a}" OR "{b}',
    '{a}" {b}', "{a}'s {b}", "'{a}' {b}", "({a} {b})", "({a} {b}", "{a}) {b}", "{a}* {b}",
    "^{a} {b}", "{a}:{b}", "content:{a} {b}", "rowid : {a} {b}", "{a} % {b}", "{a} _ {b}",
    "{a}\\{b}", "{a};{b}", "{a}/{b}", "{a}@{b}.example", "https://{a}.example/{b}?x=1&y=2#z",
    "{a}, {b}.", "{a} {b}!", "{a}--{b}", "/*{a}*/ {b}", "{{{a}}} {b}", "[{a}] {b}", "<{a}> {b}",
    "{a} && {b}", "{a} | {b}", "!{a} {b}", "~{a} {b}", "{a}^2 {b}", "${a} {b}", "#{a} {b}",
    "x' OR '1'='1 {a} {b}", "{a}~2 {b}", "{a}\t{b}", "{a}\n{b}", "{a}? {b}", "{a}={b}",
)  # fmt: skip
"""What has a meaning in one query language or another; here it is a part of a text."""

WORDLESS: tuple[str, ...] = (
    "", " ", "\t\n", "%", "%%", "_", "*", '"', '""', '" "', "'", "()", ")(", "-", "--", "+", "^",
    ":", "\\", "?", "!!!", ";", "%_%", "~", "{}", "[]", "<>", "|",
)  # fmt: skip

_MANY = 1_200  # words of a query: somebody pastes a log
_LONG = 20_000  # characters of a word
_LIMITED = 7  # messages with one word
_CHINESE = "我们明天去北京开会"
_JAPANESE = "昨日東京で会議がありました"
_CODE = {
    "C++": ("it is written in C++, they say", "vitamin C is healthy"),
    "foo_bar": ("call foo_bar() first", "no foo without a bar"),
    "x->y": ("then x->y is freed", None),
    "std::move": ("use std::move(it) there", None),
    "a.b@c.example": ("write to a.b@c.example, please", None),
}


@dataclass(frozen=True, slots=True)
class Ask:
    """A query, and the texts that it finds; None where it must be no error and no more.

    ``of`` is the number of hits that are asked for; then the texts are in their order, and the
    first of those that are stored are found.
    """

    query: str
    found: tuple[str, ...] | None
    of: int | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """Texts of messages that are appended one by one, to two sessions in turn, and what is asked.

    ``others`` are messages without a text that come between.
    """

    texts: tuple[str, ...]
    asks: tuple[Ask, ...]
    others: tuple[Message, ...] = ()


def asked(trial: Trial, case: Case) -> None:
    """Append the texts, ask, and judge; raises Broken. It ends early when it is late."""
    chat = Chat.begun(trial, "s0", "s1")
    turns = cycle(chat.names)
    for other in case.others:
        chat.do(Append("s0", (other,)))
    for at, message in enumerate(says(trial, case.texts)):
        if is_late(trial):
            return
        chat.do(Append(next(turns), says(trial, [str(message.content)], first=at)))
    for ask in case.asks:
        if is_late(trial):
            return
        apart = chat.apart()
        if ask.found is None:
            apart.is_no_error(ask.query, limit=ALL if ask.of is None else ask.of)
        elif ask.of is not None:
            there = {one.content for messages in apart.stored.values() for one in messages}
            found = [text for text in ask.found if text in there]  # a session may keep few
            apart.orders(ask.query, ask.of, found[: ask.of])
        else:
            apart.finds_texts(ask.query, ask.found)


def cases(trial: Trial, words: Iterator[str]) -> Iterator[Case]:
    """What is asked of every store, and of those that claim an order or to find more."""
    yield _people(words)
    yield _twice(words)
    yield _limits(trial, words)
    yield _wildcards(words)
    yield _wordless(words)
    yield from _textless(trial, words)
    yield _around(trial, words)
    if "cjk" in trial.claims.finds:
        yield _without_blanks()
    if "code" in trial.claims.finds:
        yield from _code()
    yield from (_form(form, words) for form in FORMS)
    yield _hostile(words)


def _people(words: Iterator[str]) -> Case:
    """Words in another order and case, among others, with punctuation around them."""
    a, b, c, d = (next(words) for _ in range(4))
    one = f"{a.upper()} and then, much later, \u201c{b.title()}\u201d."
    other = f"({c}), {a}; \u2013 {d}!"
    asks = {
        a: (one, other), a.upper(): (one, other), a.title(): (one, other), f"{b} {a}": (one,),
        f"{a} {b}": (one,), c: (other,), f"{d}  {c}": (other,), f"{b} {c}": (),
        f"  {b}\n": (one,), next(words): (),
    }  # fmt: skip
    return Case((one, other), tuple(Ask(query, found) for query, found in asks.items()))


def _twice(words: Iterator[str]) -> Case:
    """A word that a text has more than once; equal texts, which are messages of their own."""
    a, b = next(words), next(words)
    one, other = f"{a}, {a} and {a} again: {b} {b}", f"{a} {b}"
    both = (one, other, other, one)
    return Case(both, (Ask(a, both), Ask(f"{a} {b}", both), Ask(f"{a} {a}", both)))


def _limits(trial: Trial, words: Iterator[str]) -> Case:
    """So many as are asked for, in the order that is claimed."""
    a = next(words)
    texts = tuple(f"{a} {next(words)}" for _ in range(_LIMITED))
    match trial.claims.search_order:
        case "newest":
            newest = texts[::-1]
            asks = tuple(Ask(a, newest, of=of) for of in (1, 2, 5, _LIMITED, 100))
        case "best":
            rest = tuple(next(words) for _ in range(_LIMITED))
            best, far = f"{a} {a} {a}", f"{' '.join(next(words) for _ in range(60))} {a}"
            texts, asks = (best, *rest, far), tuple(Ask(a, (best, far), of=of) for of in (1, 2))
        case None:
            asks = tuple(Ask(a, None, of=of) for of in (1, 3, _LIMITED))
    return Case(texts, asks)


def _form(form: str, words: Iterator[str]) -> Case:
    a, b = next(words), next(words)
    query = form.format(a=a, b=b)
    text = f"before {query} after"
    return Case((f"{a} alone", text, f"and {b}"), (Ask(query, (text,)),))


def _wildcards(words: Iterator[str]) -> Case:
    """Underscore and per cent sign stand for nothing else."""
    a, b, c, d = (next(words) for _ in range(4))
    one, other = f"{a}_{b}", f"{c}%{d}"
    texts = (f"{a}x{b}", one, f"{c}xyz{d}", other)
    return Case(texts, (Ask(one, (one,)), Ask(other, (other,))))


def _wordless(words: Iterator[str]) -> Case:
    text = f"{next(words)} % _ * - + ( ) ' \" \\ ^ : ? ! ; ~ | {{}} [] <>"
    return Case((text,), tuple(Ask(query, ()) for query in WORDLESS))


def _textless(trial: Trial, words: Iterator[str]) -> Iterator[Case]:
    """Messages without a text among those that have one."""
    others = tuple(one for one in trial.words.samples if one.content is None)[:2]
    if others:
        a = next(words)
        yield Case((a,), (Ask(a, (a,)), Ask("none", None), Ask("null", None)), others)


def _around(trial: Trial, words: Iterator[str]) -> Case:
    """A word among whatever else a text may have."""
    a, pairs = next(words), dict[str, str]()
    for text in TEXTS[:-2]:
        whole = f"{text} {a}\n{next(words)}"
        if "\x00" not in text and trial.words.representable(says(trial, [whole])[0]):
            pairs[text] = whole
    return Case(tuple(pairs.values()), (Ask(a, tuple(pairs.values())),))


def _hostile(words: Iterator[str]) -> Case:
    """Whatever may come from a keyboard, a clipboard, or an attacker."""
    a = next(words)
    queries = (
        *TEXTS, *PAYLOADS, *PATTERNS, a * (_LONG // len(a)), '"' * 1_001, "(" * 3_000,
        " ".join(next(words) for _ in range(_MANY)), f"{a} " * _MANY, f"{a}*" * 50,
        " OR ".join([a] * 400), "NOT " * 400 + a, f"{a}\x00{a}",
    )  # fmt: skip
    return Case((a,), tuple(Ask(query, None) for query in queries))


def _without_blanks() -> Case:
    texts = (_CHINESE, _JAPANESE, "北の京")
    asks = {"明天": (_CHINESE,), "北京": (_CHINESE,), "開会": (), "東京": (_JAPANESE,),
            "会議": (_JAPANESE,), "北京 明天": (_CHINESE,)}  # fmt: skip
    return Case(texts, tuple(Ask(query, found) for query, found in asks.items()))


def _code() -> Iterator[Case]:
    for query, (text, other) in _CODE.items():
        yield Case((text, *([other] if other else [])), (Ask(query, (text,)),))
