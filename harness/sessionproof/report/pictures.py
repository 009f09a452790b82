"""What the page draws: a finding's steps in lanes, and evidence against the least that counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby, zip_longest

from markupsafe import Markup

from sessionproof.contract.verdicts import Finding, Step
from sessionproof.report.plain import cut, shown
from sessionproof.report.result import GuaranteeResult
from sessionproof.svg import bars
from sessionproof.svg.lanes import Chip, Chips, Event, space_time

STEPS_MAX = 16
LABEL_CHARACTERS_MAX = 40
RUN_MOST = 4  # chips of one kind in a row; longer runs are counted
BAR_WIDTH = 150
TIME_WIDTH = 48

_CALLS = {"close": "close, open again", "page": "page by page"}
_OUTCOMES = {"ok": " → ", "fail": " refused: ", "info": ", open end: "}
_CHANGED = " changed"


def steps_picture(finding: Finding) -> Markup | None:
    """The steps as a space-time picture: a lane a session, time downwards, the faulty one last.

    Messages that should have been answered and were not are marked where they were sent and where
    they are missing. An arrow leads from where a message was sent to another session's lane where
    it was read. None for a finding without recorded steps.
    """
    steps = finding.steps
    if not steps:
        return None
    offset = max(len(finding.program) - len(steps), 0) + 1  # lines above the steps name sessions
    wrong = concerned(steps[-1])
    kept = _kept(len(steps))
    events = [
        replace(_event(steps[place], wrong), number=str(place + offset)) for place in kept[:-1]
    ]
    origins = [at for at, place in enumerate(kept[:-1]) if wrong & {*steps[place].sent}]
    events.append(replace(_faulty(steps[-1]), number=str(len(steps) - 1 + offset)))
    if len(kept) < len(steps):
        middle = len(kept) // 2
        left_out = Event(
            title=f"… {len(steps) - len(kept)} operations left out …", class_="event gap"
        )
        events.insert(middle, left_out)
        origins = [at + (at >= middle) for at in origins]
    events[-1] = replace(events[-1], comes_from=tuple(origins))
    return space_time(events, label=_words(steps))


def concerned(step: Step) -> frozenset[str]:
    """Labels of the messages that a step answered wrongly: missing, too many, changed, moved."""
    if step.want is None or step.got is None:
        return frozenset()
    want, got = Counter(step.want), Counter(step.got)
    differing = {*(want - got), *(got - want)} or {
        label
        for pair in zip_longest(step.want, step.got, fillvalue="")
        if pair[0] != pair[1]
        for label in pair
    }
    return frozenset(label.removesuffix(_CHANGED) for label in differing)


def evidence_bar(row: GuaranteeResult, highest: float) -> Markup:
    """How much was examined against the least evidence, on a scale that ends at ``highest``."""
    label = f"{row.examined:,} examined, at least {row.least:,} are needed"
    return bars.against(_ratio(row), highest=highest, width=BAR_WIDTH, label=label)


def evidence_axis(highest: float) -> Markup:
    """The scale above the bars."""
    return bars.axis(highest=highest, width=BAR_WIDTH)


def evidence_top(rows: Iterable[GuaranteeResult]) -> float:
    """Where the scale of these guarantees ends, in units of their least evidence."""
    return bars.top([_ratio(row) for row in rows])


def time_bar(row: GuaranteeResult, longest_s: float) -> Markup:
    """The guarantee's time beside the longest one."""
    label = f"{row.duration_s:.1f} of {longest_s:.1f} seconds"
    return bars.share(row.duration_s, highest=longest_s, width=TIME_WIDTH, label=label)


def _ratio(row: GuaranteeResult) -> float:
    return row.examined / max(row.least, 1)


def _kept(number: int) -> list[int]:
    """The places of the steps that are drawn: all, or as many of the first as of the last."""
    if number <= STEPS_MAX:
        return list(range(number))
    half = STEPS_MAX // 2
    return [*range(half), *range(number - half, number)]


def _event(step: Step, wrong: frozenset[str]) -> Event:
    lists = []
    if step.sent:
        marked = [label in wrong for label in step.sent]
        lists.append(Chips(chips=_chips(step.sent, marked, "chip concerned")))
    if step.got is not None:
        plain = [False] * len(step.got)
        lists.append(Chips(chips=_chips(step.got, plain), otherwise="answered nothing"))
    return Event(
        title=_title(step),
        lane=_name(step.session) or None,
        lists=tuple(lists),
        class_="event" if step.outcome == "ok" else "event refused",
    )


def _faulty(step: Step) -> Event:
    event = replace(_event(step, frozenset()), class_="event faulty")
    if step.want is None or step.got is None or step.want == step.got:
        return event
    want, got = Counter(step.want), Counter(step.got)
    missing, surplus = want - got, got - want
    moved = not missing and not surplus
    pairs = list(zip(step.want, step.got, strict=False)) if moved else []
    wanted = _marked(step.want, missing)
    answered = [a != b for a, b in pairs] if moved else _marked(step.got, surplus)
    return replace(
        event,
        lists=(
            Chips(
                chips=_chips(step.want, wanted, "chip missing"),
                word="should answer",
                otherwise="nothing",
            ),
            Chips(chips=_chips(step.got, answered), word="answered", otherwise="nothing"),
        ),
    )


def _marked(labels: Sequence[str], some: Counter[str]) -> list[bool]:
    """Which of the labels are among these, each as often as it is there; the later ones first."""
    left = Counter(some)
    out = []
    for label in reversed(labels):
        out.append(left[label] > 0)
        left[label] -= 1
    return out[::-1]


def _chips(
    labels: Sequence[str], marked: Sequence[bool], class_: str = "chip wrong"
) -> tuple[Chip, ...]:
    """The labels as chips; of a long run of one kind the first, the last, and their number."""
    out: list[Chip] = []
    for wrong, group in groupby(zip(labels, marked, strict=True), key=lambda pair: pair[1]):
        run = [label for label, _ in group]
        kind = class_ if wrong else "chip"
        names = [_name(label) for label in (run if len(run) <= RUN_MOST else (run[0], run[-1]))]
        if len(run) > RUN_MOST:
            names.insert(1, f"{len(run) - 2} more")
        out += [Chip(label=name, class_=kind) for name in names]
    return tuple(out)


def _title(step: Step) -> str:
    call = _CALLS.get(step.call, _name(step.call))
    if step.outcome == "ok":
        return f"{call} → {_name(step.said)}" if step.said else call
    return f"{call}{_OUTCOMES.get(step.outcome, ': ')}{_name(step.said)}"


def _words(steps: Sequence[Step]) -> str:
    """The picture in a sentence, for those who do not see it; the program stands beside it."""
    last = steps[-1]
    sessions = len({step.session for step in steps if step.session})
    what = f"{_number(len(steps), 'operation')} on {_number(sessions, 'session')}"
    what = f"{what}; the last, {_title(last)}"
    if last.want is None or last.got is None or last.want == last.got:
        return f"{what}, went wrong"
    got = _number(len(last.got), "message")
    return f"{what}, answered {got} and should have answered {len(last.want)}"


def _number(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _name(text: str) -> str:
    """A store's text, harmless and short."""
    return shown(cut(text, LABEL_CHARACTERS_MAX)) if text else ""
