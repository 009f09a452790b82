"""The last lines of a script: what the answer of an operation must be, as assertions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from itertools import groupby
from typing import Any

from sessionproof.checks.rules import IdsOf, Numbers, SameAs, Without
from sessionproof.checks.transcript import Fault
from sessionproof.contract.claims import Claims
from sessionproof.contract.message import MESSAGE_FIELDS, Message, SessionInfo
from sessionproof.contract.operations import (
    Append,
    AppendWithState,
    Completed,
    Count,
    Get,
    GetState,
    List,
    PopLast,
    Read,
    ReadLast,
    ReadPages,
    session_of,
)
from sessionproof.oracle.model import (
    ASSIGNED,
    Expectation,
    Session,
    differing,
    info_problems,
    same_messages,
)
from sessionproof.scripts.expressions import Unwritable, expression, values

_OF_PAGES = "[m for page in pages for m in page]"
_SHOWN_MOST = 2_000  # characters of an answer that a failing assertion shows
_UNSAID = "no assertion of a few lines says what was expected"


def telling(want: Sequence[Message], have: Sequence[Message], keeps: Set[str]) -> tuple[str, ...]:
    """The fields that tell two lists of messages apart, as few as will do."""
    if len(want) == len(have):
        pairs = zip(want, have, strict=True)
        differ = {name for one, other in pairs for name in differing(one, other, keeps)}
        found = tuple(name for name in MESSAGE_FIELDS if name in differ)
        told = next((name for name in ("content", "call_id") if name in differ), None)
        return (told,) if told else tuple(name for name in found if name not in ASSIGNED) or found
    both = [*want, *have]
    for name in ("content", "call_id", "role"):
        if name in keeps and any(getattr(one, name) is not None for one in both):
            return (name,)
    return tuple(sorted(keeps))[:1]


def values_of(answer: str, fields: Sequence[str]) -> str:
    """The fields of each message of an answer, as a list comprehension."""
    return f"[{_picked(fields)} for m in {answer}]"


def one_manner(lines: Sequence[str]) -> list[str]:
    """The same call twice: an answer both times, or the same error."""
    return [
        "manners = []",
        "for _ in range(2):",
        "    try:",
        *(f"        {line}" for line in lines),
        "        manners.append('an answer')",
        "    except Exception as error:",
        "        manners.append(type(error).__name__)",
        "assert manners[0] == manners[1], manners",
    ]


def no_accident(lines: Sequence[str], raised: str) -> list[str]:
    """A call that may be refused, but not by this exception of Python's own."""
    return [
        "try:",
        *(f"    {line}" for line in lines),
        f"except {raised} as error:",
        "    raise AssertionError(f'it raised {error!r}') from error",
        "except Exception as error:",
        "    print('refused:', error)",
    ]


def of_rule(
    transcript: Sequence[Completed], fault: Fault, lines: Sequence[str], claims: Claims
) -> list[str]:
    """What must hold by the rule that the fault broke."""
    done = transcript[fault.index]
    match fault.rule:
        case SameAs(index):
            before = transcript[index].outcome.value
            fields = telling(before, done.outcome.value, claims.keeps)
            return [f"seen = {values_of(lines[0], fields)}", "assert seen == earlier, seen"]
        case Without(unwanted):
            return [
                f"seen = {values_of(lines[0], ('content',))}",
                f"assert {expression(unwanted)} not in seen, seen",
            ]
        case IdsOf(index):
            number = min(len(_receipt_ids(transcript, index)), len(done.outcome.value))
            return [
                f"seen = {values_of(lines[0], ('id',))}[-{number}:]",
                f"assert seen == [*earlier.ids][-{number}:], (seen, earlier.ids)",
            ]
        case Numbers():
            return _numbers(transcript, fault, fault.rule, lines)
        case _:
            raise Unwritable(_UNSAID)


def numbered_by(transcript: Sequence[Completed], fault: Fault) -> int | None:
    """The append whose receipt has the number below the first that was expected.

    None where nothing was removed before: then the number itself is known.
    """
    rule = fault.rule
    if not isinstance(rule, Numbers) or rule.gapless:
        return None
    session = session_of(transcript[fault.index].operation)
    for at in reversed(range(fault.index)):
        done = transcript[at]
        if isinstance(done.operation, Append | AppendWithState) and done.outcome.type == "ok":
            receipt = done.outcome.value
            if done.operation.session == session and receipt and rule.first - 1 in receipt.seqs:
                return at
    return None


def by_the_oracle(
    done: Completed,
    lines: Sequence[str],
    expected: Sequence[Expectation],
    claims: Claims,
    names: Mapping[str, str],
    conditions: Mapping[int, str],
) -> list[str]:
    """What the oracle expects of the answer, in any of the worlds that may be.

    ``lines`` make the call. ``conditions`` are variables that say whether a message was taken, by
    the identity of the message.
    """
    may_refuse = any(one.refusal != "never" for one in expected)
    answer, value = expected[0].answer, done.outcome.value
    match done.operation:
        case Read() | ReadLast():
            start = _asked(lines[0], "[]", may_refuse)
            return [*start[:-1], *_messages(start[-1], answer, value, claims, conditions)]
        case ReadPages(_, limit):
            if any(len(page) > limit for page in value):
                sizes = "[len(page) for page in pages]"
                return [*lines, f"assert max({sizes}) <= {limit}, {sizes}"]
            flat = [message for page in value for message in page]
            if may_refuse:
                lines = ["with suppress(Exception):", *(f"    {line}" for line in lines)]
            return [*lines, *_messages(_OF_PAGES, answer, flat, claims, conditions)]
        case PopLast():
            return _popped(lines[0], answer, value, claims)
        case Count():
            start = _asked(lines[0], "0", may_refuse)
            return [*start[:-1], f"seen = {start[-1]}", f"assert seen == {answer}, seen"]
        case Get():
            start = _asked(lines[0], "None", may_refuse)
            return [*start[:-1], *_facts(start[-1], answer, value, claims, may=may_refuse)]
        case List():
            return _listing(lines[0], expected, names)
        case GetState():
            start = _asked(lines[0], "None", may_refuse)
            return [*start[:-1], *_equal(start[-1], [answer], [value], expression(answer))]
        case _:
            raise Unwritable(_UNSAID)


def _asked(called: str, otherwise: str, may_refuse: bool) -> list[str]:
    """The call as an expression in the last line; before it, what stands in for a refusal."""
    if not may_refuse:
        return [called]
    return [
        f"answer = {otherwise}",
        "with suppress(Exception):  # it may be refused",
        f"    answer = {called}",
        "answer",
    ]


def _messages(
    answer: str,
    want: Sequence[Message],
    have: Sequence[Message],
    claims: Claims,
    conditions: Mapping[int, str],
) -> list[str]:
    """That an answer has these messages, by the fields that tell."""
    if same_messages(want, have, claims.keeps):
        raise Unwritable(_UNSAID)
    fields = telling(want, have, claims.keeps)
    wanted = [_fields(message, fields) for message in want]
    if len(want) == len(have) and set(fields) <= ASSIGNED:
        return _assigned(answer, want, have, fields)
    parts = []
    marked = [(value, conditions.get(id(one))) for value, one in zip(wanted, want, strict=True)]
    for condition, group in groupby(marked, lambda item: item[1]):
        part = values([value for value, _ in group])
        parts.append(part if condition is None else f"{_one(part)} * {condition}")
    seen = [_fields(message, fields) for message in have]
    return _equal(values_of(answer, fields), wanted, seen, " + ".join(parts) or "[]")


def _one(part: str) -> str:
    return f"({part})" if " + " in part else part


def _assigned(
    answer: str, want: Sequence[Message], have: Sequence[Message], fields: Sequence[str]
) -> list[str]:
    """A field that the store fills where the client left it open: of one message alone."""
    name = fields[0]
    pairs = enumerate(zip(want, have, strict=True))
    at = next(
        at
        for at, (one, other) in pairs
        if getattr(one, name) is not None and getattr(one, name) != getattr(other, name)
    )
    wanted = expression(getattr(want[at], name))
    return [f"seen = {values_of(answer, (name,))}[{at}]", f"assert seen == {wanted}, seen"]


def _equal(answer: str, want: Sequence[Any], have: Sequence[Any], wanted: str) -> list[str]:
    """That an expression has a value; as JSON, where Python takes 1, 1.0 and True for equal."""
    told = ", seen" if len(repr(have)) <= _SHOWN_MOST else ""
    if [*want] == [*have]:
        return [
            f"seen = json.dumps({answer}, sort_keys=True)",
            f"assert seen == json.dumps({wanted}, sort_keys=True){told}",
        ]
    return [f"seen = {answer}", f"assert seen == {wanted}{told}"]


def _popped(called: str, want: Message | None, have: Message | None, claims: Claims) -> list[str]:
    if want is None:
        start = _asked(called, "None", may_refuse=True)
        return [*start[:-1], "assert answer is None, answer"]
    if have is None:
        return [f"assert {called} is not None, 'nothing was answered'"]
    fields = telling([want], [have], claims.keeps)
    wanted = values([_fields(want, fields)])
    return [f"seen = {values_of(f'[{called}]', fields)}", f"assert seen == {wanted}, seen"]


def _facts(
    called: str, session: Session | None, info: SessionInfo | None, claims: Claims, *, may: bool
) -> list[str]:
    if session is None:
        return [f"assert {called} is None, 'an unknown session has facts'"]
    if info is None:
        return [f"assert {called} is not None, 'the session is unknown'"]
    problems = info_problems(session, info, claims)
    facts = {
        "message_count": len(session.messages),
        "total_tokens": sum(message.tokens or 0 for message in session.messages),
        "total_duration_us": sum(message.duration_us or 0 for message in session.messages),
    }
    wrong = {
        name: value
        for name, value in facts.items()
        if any(problem.startswith(f"{name} is ") for problem in problems)
    }
    unknown = "seen is None or " if may else ""
    return [
        f"seen = {called}",
        *(f"assert {unknown}seen.{name} == {value}, seen" for name, value in wrong.items()),
    ]


def _listing(called: str, expected: Sequence[Expectation], names: Mapping[str, str]) -> list[str]:
    """All that must be listed, nothing that is not there, each once."""
    worlds = [one.answer for one in expected]
    must = [{name for name, one in world.items() if one.messages or one.made} for world in worlds]
    least = sorted(names[name] for name in set.intersection(*must))
    most = sorted(names[name] for name in set().union(*worlds))
    if least == most:
        return [f"seen = sorted({called})", f"assert seen == sorted([{', '.join(most)}]), seen"]
    return [
        f"seen = list({called})",
        "assert len({*seen}) == len(seen), seen",
        f"assert {{*[{', '.join(least)}]}} <= {{*seen}} <= {{{', '.join(most)}}}, seen",
    ]


def _numbers(
    transcript: Sequence[Completed], fault: Fault, rule: Numbers, lines: Sequence[str]
) -> list[str]:
    operation = transcript[fault.index].operation
    length = len(operation.messages) if isinstance(operation, Append | AppendWithState) else 0
    start = f"seen = [*{lines[0]}.seqs]"
    if rule.gapless:
        return [start, f"assert seen == {[*range(rule.first, rule.first + length)]}, seen"]
    at = numbered_by(transcript, fault)
    least = str(rule.first)
    if at is not None:
        place = list(transcript[at].outcome.value.seqs).index(rule.first - 1)
        least = f"earlier.seqs[{place}] + 1"
    first = f"seen[0] {'==' if rule.exact else '>='} {least}"
    return [start, f"assert {first} and seen == sorted({{*seen}}), seen"]


def _receipt_ids(transcript: Sequence[Completed], index: int) -> Sequence[str]:
    receipt = transcript[index].outcome.value
    return () if receipt is None else receipt.ids or ()


def _picked(fields: Sequence[str]) -> str:
    parts = [f"m.{name}" for name in fields]
    return parts[0] if len(parts) == 1 else f"({', '.join(parts)})"


def _fields(message: Message, fields: Sequence[str]) -> Any:
    picked = [getattr(message, name) for name in fields]
    return picked[0] if len(picked) == 1 else tuple(picked)
