"""Searches beside writers: what was acknowledged is found, and what was deleted is not.

Each message has a word of its own, of letters that no tokenizer splits, folds or stems.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sessionproof.checks.found_beside import Life, Looked, Span, is_gone, is_owed, wrong_with
from sessionproof.contract.clock import monotonic_ns
from sessionproof.contract.guarantees import SEARCHED_TOGETHER
from sessionproof.contract.message import Message
from sessionproof.contract.operations import Append, Outcome, Read
from sessionproof.scripts.moments import search_lines
from sessionproof.trials.limit_lines import setting_of
from sessionproof.trials.limited import Experiment, Sessions, in_races, text_of
from sessionproof.trials.single import CouldNotTell, NotClaimed, Trial
from sessionproof.workload import lifetime
from sessionproof.workload.crews import Kind
from sessionproof.workload.racers import Ask, Did, Racers
from sessionproof.workload.sessions import begin
from sessionproof.workload.texts import said

_CLIENTS = 3
_WORDS = 4  # that each client writes in a race
_DELETED = 2  # of messages that were there before, by each client
_LETTERS = "bcdfghjkmnpqrtvw"  # sixteen
_DIGITS = 6
_LIMIT = 10


def at_once(trial: Trial) -> None:
    """Clients write, delete and search at once, their own words and others'; raises Broken."""
    claims = trial.claims
    if lacking := SEARCHED_TOGETHER.lacking(claims):
        raise NotClaimed(f"the store does not claim {lacking}")
    if trial.words.samples[0].kind == "tool_call":
        raise CouldNotTell("the store takes tool calls alone, which have no text")

    keeps = claims.limits.retention
    if keeps is not None and keeps < _WORDS + _DELETED:
        raise CouldNotTell(f"of {_WORDS + _DELETED} messages of a session the store keeps {keeps}")

    def lines(_: Kind) -> list[str]:
        setting = setting_of(trial)
        return [] if setting is None else search_lines(setting)

    words = _Words()
    made = Experiment(
        play=lambda sessions, one: _race(sessions, one, words),
        clients=_CLIENTS,
        did="appended, deleted and searched at once",
        expected="a message is found once from when its append is acknowledged, and no more from "
        "when its deletion is",
        lines=lines,
    )
    in_races(trial, made)


@dataclass
class _Words:
    """Gives words, each once."""

    given: int = 0

    def next(self) -> str:
        self.given += 1
        digits = (self.given >> shift & 15 for shift in range(0, 4 * _DIGITS, 4))
        return "q" + "".join(_LETTERS[digit] for digit in digits)


@dataclass(frozen=True)
class _Doomed:
    """A message that was there before, and is to be deleted."""

    session: str
    message: str
    word: str


@dataclass
class _Plan:
    """The calls of each client, and the word that each of them is about."""

    programs: list[list[Ask]]
    word_of: dict[int, str] = field(default_factory=dict)  # by the identity of the call
    session_of: dict[str, str] = field(default_factory=dict)  # by word

    def add(self, client: int, ask: Ask, word: str) -> None:
        """One call more."""
        self.programs[client].append(ask)
        self.word_of[id(ask)] = word


def _race(sessions: Sessions, one: Racers, words: _Words) -> tuple[str, int]:
    """What is wrong in one race, and how many of its searches show anything."""
    trial = sessions.trial
    ids = [_begun(trial, f"w{sessions.races}-{at}") for at in range(one.number)]
    doomed = [_written(sessions, name, words) for name in ids]
    plan = _planned(sessions, ids, doomed, words)
    lives, seen = _seen(plan, one.race(plan.programs), doomed)
    looked = [search for search in seen if search.word in lives]  # some were never written
    own = not trial.claims.at_least("consistency", "linearizable")
    for search in looked:
        wrong = wrong_with(search, lives[search.word], own=own)
        if wrong:
            return f"a search for {search.word!r}: {wrong}", 0
    for life in lives.values():
        last = _look(trial, life, plan.session_of[life.word])
        wrong = wrong_with(last, life, own=False)
        if wrong:
            return f"when all was quiet, a search for {life.word!r}: {wrong}", 0
    told = [one for one in looked if is_owed(one, lives[one.word]) or is_gone(one, lives[one.word])]
    return "", len(told)


def _begun(trial: Trial, name: str) -> str:
    outcome = begin(trial.handle(), name, trial.claims, trial.capabilities)
    trial.require_ok(outcome, f"made the session {name!r}")
    return str(outcome.value)


def _message(sessions: Sessions, word: str) -> Message:
    given = sessions.message()  # for its time, where the store orders by it
    return said(given, f"{word} {text_of(given)}", at_us=given.created_at_us)


def _written(sessions: Sessions, session: str, words: _Words) -> list[_Doomed]:
    """Messages to be deleted, where the store deletes single ones and names them."""
    trial = sessions.trial
    if "delete_message" not in trial.capabilities:
        return []
    mine = [words.next() for _ in range(_DELETED)]
    for word in mine:
        given = Append("s", (_message(sessions, word),))
        trial.require_ok(trial.handle().invoke(given, session), "appended a message")
    read = trial.handle().invoke(Read("s"), session)
    trial.require_ok(read, "read a session")
    named = {text_of(one).partition(" ")[0]: one.id for one in read.value}
    return [_Doomed(session, named[word], word) for word in mine if named.get(word) is not None]


def _planned(
    sessions: Sessions, ids: Sequence[str], doomed: Sequence[Sequence[_Doomed]], words: _Words
) -> _Plan:
    """Each client writes words, deletes some, and looks for its own and for those of the next."""
    plan = _Plan([[] for _ in ids])
    written = [[words.next() for _ in range(_WORDS)] for _ in ids]
    for client, session in enumerate(ids):
        others = written[(client + 1) % len(ids)]
        gone = [*doomed[client]]
        for word, other in zip(written[client], others, strict=True):
            plan.session_of[word] = session
            message = _message(sessions, word)
            plan.add(client, Ask("append", (session, [message])), word)
            plan.add(client, _search(word), word)
            plan.add(client, _search(other), other)
            if gone:
                one = gone.pop()
                plan.session_of[one.word] = session
                plan.add(client, Ask("delete_message", (session, one.message)), one.word)
                plan.add(client, _search(one.word), one.word)
    return plan


def _search(word: str) -> Ask:
    return Ask("search", (word,), {"limit": _LIMIT})


def _seen(
    plan: _Plan, done: Sequence[Sequence[Did]], doomed: Sequence[Sequence[_Doomed]]
) -> tuple[Mapping[str, Life], list[Looked]]:
    """The lives of all words, and what each search that answered found."""
    lives = {
        one.word: Life(one.word, client, Span(0, 0))
        for client, each in enumerate(doomed)
        for one in each
    }
    looked: list[Looked] = []
    calls = [(client, did) for client, each in enumerate(done) for did in each]
    for client, did in calls:
        word, good = plan.word_of[id(did.ask)], did.outcome.type == "ok"
        span = Span(did.began_ns, did.ended_ns, good)
        match did.ask.method:
            case "append":
                lives[word] = Life(word, client, span)
            case "delete_message":
                lives[word] = Life(word, lives[word].client, lives[word].appended, span)
            case _ if good:
                looked.append(_looked(did.outcome, word, client, span, plan.session_of[word]))
    return lives, looked


def _looked(outcome: Outcome, word: str, client: int, span: Span, session: str) -> Looked:
    right = [
        one
        for one in outcome.value
        if one.session_id == session and text_of(one.message).partition(" ")[0] == word
    ]
    return Looked(word, client, span, len(right), len(outcome.value) - len(right))


def _look(trial: Trial, life: Life, session: str) -> Looked:
    """A search when all is quiet, by the trial's own handle; it must answer."""
    began = monotonic_ns()
    outcome = lifetime.search(trial.handle(), life.word, limit=_LIMIT)
    trial.require_ok(outcome, f"searched for {life.word!r}")
    return _looked(outcome, life.word, life.client, Span(began, monotonic_ns()), session)
