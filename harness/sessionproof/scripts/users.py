"""Users, their tokens and their sessions as lines that show a fault.

Times are those of ``scripts/lifetime.py``. Names and passwords are made up anew: what a store does
with them hangs on none of their letters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sessionproof.checks.users import UserFault
from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message
from sessionproof.contract.operations import Append
from sessionproof.scripts.expressions import Unwritable, call, expression
from sessionproof.scripts.lifetime import Times, told_us
from sessionproof.scripts.program import suppressed
from sessionproof.workload.users import (
    ADD,
    BEGIN,
    ELSEWHERE,
    HERE,
    LIST,
    MESSAGES,
    OTHER,
    REOPEN,
    SEARCH,
    SIGN_IN,
    SPOILT,
    TABLES,
    Done,
    Step,
)
from sessionproof.workload.users_asked import message_of

_SPOILT_TOKENS = {
    "": "{0}",
    "as nothing": "''",
    "in the other case": "{0}.swapcase()",
    "without its last character": "{0}[:-1]",
    "with one character more": "{0} + 'x'",
    "with another first character": "flipped({0}, 0)",
    "with another middle character": "flipped({0}, len({0}) // 2)",
    "with another last character but one": "flipped({0}, len({0}) - 2)",
    "as a pattern": "'%'",
    "as a pattern of its length": "'_' * len({0})",
}
_FLIPPED = [
    "def flipped(token, at):",
    "    return token[:at] + ('b' if token[at] == 'a' else 'a') + token[at + 1 :]",
    "",
]


def lines_of(
    done: Sequence[Done],
    fault: UserFault,
    claims: Claims,
    times: Times,
    sample: Message,
    *,
    creates: bool,
) -> list[str]:
    """The lines up to the step that went wrong, and what must hold of it.

    Raises Unwritable where another process is needed.
    """
    upto = done[: fault.index + 1]
    if any(one.step.by == ELSEWHERE for one in upto):
        raise Unwritable("it shows in another process alone")
    lines = [*times.begin()]
    if any("flipped" in _SPOILT_TOKENS[one.step.spoilt] for one in upto):
        lines += ["", *_FLIPPED]
    now, others = None, False
    for index, one in enumerate(upto):
        step = one.step
        if step.what == REOPEN:
            lines += ["other.close()"] if others else []
            others, now = False, None
        if step.by == OTHER and not others:
            others, now = True, None
            lines.append(times.open.replace("store =", "other =", 1))
        if step.at_us != now and step.what != REOPEN:
            now = step.at_us
            lines += _at(times, now, others=others)
        if index == fault.index:
            lines += _last(upto, fault, claims, sample, creates=creates, times=times)
        else:
            called = [*_called(step, claims, sample, creates=creates, times=times)]
            lines += called if one.outcome.failure is None else suppressed(called)
    return [*lines, *(["other.close()"] if others else []), "store.close()"]


def program_of(done: Sequence[Done], fault: UserFault) -> tuple[str, ...]:
    """The same for people: a call a line."""
    lines = []
    for one in done[: fault.index + 1]:
        timed = f"  # at {told_us(one.step.at_us)}" if one.step.at_us else ""
        lines.append(f"{_shown(one.step)}{timed}")
    return tuple(lines)


def _at(times: Times, at_us: int, *, others: bool) -> list[str]:
    lines = times.at(at_us)
    if others and times.clock == "method":
        lines += [line.replace("store.", "other.", 1) for line in lines]
    return lines


def _shown(step: Step) -> str:
    """A call as it would be written, with labels; passwords are named, not shown."""
    by = "" if step.by == HERE else f"  # by {'a second handle' if step.by == OTHER else step.by}"
    made = {ADD: step.user, SIGN_IN: step.key, BEGIN: step.session}.get(step.what)
    before = f"{made} = " if made else ""
    match step.what:
        case "begin":
            return f"{before}a session with {MESSAGES} messages{by}"
        case "reopen":
            return "store.close(); store = open_again()"
        case "tables":
            return "# SQL over the tables of the store"
        case _:
            return f"{before}store.{step.what}({', '.join(_arguments(step, shown=True))}){by}"


def _password(step: Step, *, shown: bool) -> str:
    if shown:
        how = f" {step.spoilt}" if step.spoilt else ""
        return f"<password of {step.knows}{how}>"
    return expression(SPOILT[step.spoilt](_secret(step.knows)))


def _secret(label: str) -> str:
    return f"Pw7f3a9c2e5d8b1q of {label}"


def _name(label: str) -> str:
    return repr(f"{label}@example.org")


def _arguments(step: Step, *, shown: bool = False) -> list[str]:
    match step.what:
        case "add_user":
            return [_name(step.name), _password(step, shown=shown)]
        case "sign_in":
            limits = {"idle_us": step.idle_us, "hard_us": step.hard_us}
            given = [f"{key}={value}" for key, value in limits.items() if value is not None]
            return [_name(step.name), _password(step, shown=shown), *given]
        case "whose" | "sign_out":
            if shown:
                return [f"{step.key} {step.spoilt}".strip()]
            return [_SPOILT_TOKENS[step.spoilt].format(step.key)]
        case "set_user_active":
            return [step.user, str(step.active)]
        case "rename_user":
            return [step.user, _name(step.name)]
        case "set_owner":
            return [step.session, step.user]
        case "search":
            return [repr(step.session)]
        case "list" | "tables":
            return []
        case _:
            return [step.session or step.user]


def _called(
    step: Step, claims: Claims, sample: Message, *, creates: bool, times: Times
) -> Iterator[str]:
    """One step as lines."""
    store = "store" if step.by == HERE else "other"
    if step.what == REOPEN:
        yield "store.close()"
        yield times.open
    elif step.what == BEGIN:
        name = step.session
        asked = "" if claims.session_ids == "store" else repr(name)
        yield f"{name} = {store}.create({asked})" if creates else f"{name} = {name!r}"
        for number in range(MESSAGES):
            yield call(Append(name, (message_of(sample, name, number),)), name, store=store)
    else:
        made = {ADD: f"{step.user} = ", SIGN_IN: f"{step.key} = "}.get(step.what, "")
        yield f"{made}{_asked(step)}"


def _asked(step: Step) -> str:
    """The call alone, as an expression of what it answers."""
    store = "store" if step.by == HERE else "other"
    called = f"{store}.{step.what}({', '.join(_arguments(step))})"
    if step.what == SEARCH:
        return f"[hit for hit in {called} if hit.session_id == {step.session}]"
    return f"orphan_problems({called})" if step.what == TABLES else called


def _last(
    upto: Sequence[Done],
    fault: UserFault,
    claims: Claims,
    sample: Message,
    *,
    creates: bool,
    times: Times,
) -> list[str]:
    step = upto[-1].step
    called = [*_called(step, claims, sample, creates=creates, times=times)]
    match fault.rule:
        case "succeeds":
            return [
                "try:", *(f"    {line}" for line in called), "except Exception as error:",
                "    raise AssertionError(f'{type(error).__name__}: {error}') from error",
            ]  # fmt: skip
        case "refused" | "conflict":
            error = "Conflict" if fault.rule == "conflict" else "Refused"
            return [
                "try:", f"    {_asked(step)}", f"except {error}:", "    pass", "else:",
                f"    raise AssertionError({expression(f'not refused: {fault.expected}')})",
            ]  # fmt: skip
        case "nothing":
            seen = [f"seen = {_asked(step)}"]
            return ["seen = None", *suppressed(seen), "assert not seen, seen"]
        case "tells no password":
            password = expression(_secret(step.knows or upto[-1].tells[0]))
            return [
                "said = ''", "try:", f"    {_asked(step)}", "except Exception as error:",
                "    said = str(error)", f"assert {password}.lower() not in said.lower(), said",
            ]  # fmt: skip
        case "same words":
            return _same_words(step)
        case _:
            return _answers(upto, fault, called)


def _same_words(step: Step) -> list[str]:
    wrong = expression(_secret("nobody"))
    return [
        "said = set()",
        f"for name in [{_name('ada')}, {_name(step.name)}, 'nobody@example.org']:",
        "    try:",
        f"        store.sign_in(name, {wrong})",
        "    except Exception as error:",
        "        said.add((type(error).__name__, str(error).replace(name, '')))",
        "assert len(said) == 1, said",
    ]


def _answers(upto: Sequence[Done], fault: UserFault, called: list[str]) -> list[str]:
    """What must hold of the answer of the last step."""
    step, asked = upto[-1].step, _asked(upto[-1].step)
    match step.what:
        case "add_user" | "sign_in":
            label = "user" if step.what == ADD else "key"
            made = {getattr(one.step, label): None for one in upto if one.step.what == step.what}
            listed = ", ".join(made)
            return [*called, f"assert len({{{listed}}}) == {len(made)}, ({listed})"]
        case "read":
            return [f"assert len({asked}) == {fault.answer}"]
        case "get":
            return [f"assert {asked} is not None"]
        case "list" | "sessions_of":
            want = f"[{', '.join(fault.answer)}]"
            known = ", ".join(dict.fromkeys(one.step.session for one in upto
                                            if one.step.what == BEGIN))  # fmt: skip
            only = f" if one in ({known},)" if step.what == LIST and known else ""
            return [
                f"seen = sorted(one for one in {asked}{only})",
                f"assert seen == sorted({want}), seen",
            ]
        case "tables":
            return [f"problems = {asked}", "assert not problems, problems"]
        case _:
            return [f"assert {asked} == {fault.answer}"]
