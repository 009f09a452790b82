"""What must hold of clients that work at the same time, as lines of Python over what they did.

The lines are the body of ``wrong(done, last)``: ``done`` are the operations of all clients in the
order in which they began, ``last`` the texts of a read when all was quiet. They return a sentence
where the rule is broken.
"""

from __future__ import annotations

from collections.abc import Collection

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.history.columns import F
from sessionproof.scripts.expressions import Unwritable

TOKENS = 3
"""The tokens of each message that a script of a race sends."""

_READS = "reads = [one for one in done if one.call in ('read', 'page') and one.outcome == 'ok']"
_VIEWS = (_READS, "views = [*(one.answer for one in reads), last]")

_LOST = (
    "for one in done:",
    "    missing = [text for text in one.texts if one.outcome == 'ok' and text not in last]",
    "    if missing:",
    "        return f'{missing[0]!r} was acknowledged, and is not in the last read'",
)
_DUPLICATE = (
    *_VIEWS,
    "for texts in views:",
    "    for text in texts:",
    "        if texts.count(text) > 1:",
    "            return f'{text!r} is there {texts.count(text)} times'",
)
_ABORTED = (
    *_VIEWS,
    "for one in done:",
    "    seen = [text for text in one.texts if any(text in texts for texts in views)]",
    "    if one.outcome == 'refused' and seen:",
    "        return f'{seen[0]!r} was refused, and was read'",
)
_WHOLE = (
    *_VIEWS,
    "for one in done:",
    "    for texts in views:",
    "        places = [texts.index(text) for text in one.texts if text in texts]",
    "        if places and places != [places[0] + k for k in range(len(one.texts))]:",
    "            return f'a batch of {len(one.texts)} is read at the places {places} alone'",
)
_OWN_ORDER = (
    *_VIEWS,
    "for client in range(len(PROGRAMS)):",
    "    sent = [text for one in done if one.client == client for text in one.texts]",
    "    for texts in views:",
    "        order = [text for text in texts if text in sent]",
    "        if order != [text for text in sent if text in order]:",
    "            return f'client {client + 1} sent {sent}, and a read has {order}'",
)
_PREFIXES = (
    _READS,
    "for one in reads:",
    "    for place, text in enumerate(one.answer):",
    "        if last[place : place + 1] != [text]:",
    "            there = last[place] if place < len(last) else 'nothing'",
    "            return f'place {place} of a read is {text!r}, and of the last one {there!r}'",
)
_SAME_ORDER = (
    _READS,
    "for one in reads:",
    "    both = [text for text in one.answer if text in last]",
    "    if both != [text for text in last if text in one.answer]:",
    "        return f'a read has {both}, and the last one has them in another order'",
)
_SENT = (
    *_VIEWS,
    "sent = {text for one in done for text in one.texts}",
    "strange = [text for texts in views for text in texts if text not in sent]",
    "if strange:",
    "    return f'{strange[0]!r} was read, and nobody sent it'",
)
_REAL_TIME = (
    "for one in done:",
    "    for later in done:",
    "        if one.ended < later.began and {*one.texts[-1:], *later.texts[:1]} <= {*last}:",
    "            if one.texts and later.texts:",
    "                if last.index(one.texts[-1]) > last.index(later.texts[0]):",
    "                    return f'{one.texts} had ended when {later.texts} began, and is behind'",
)
_FUTURE = (
    _READS,
    "for read in reads:",
    "    for one in done:",
    "        seen = [text for text in one.texts if text in read.answer]",
    "        if seen and one.began > read.ended:",
    "            return f'{seen[0]!r} was read before it was sent'",
)
_NUMBERS = (
    "sent = [one for one in done if one.call == 'append' and one.outcome == 'ok']",
    "numbers = [number for one in sent for number in one.answer]",
)
_NUMBER_TWICE = (
    *_NUMBERS,
    "for number in numbers:",
    "    if numbers.count(number) > 1:",
    "        return f'number {number} was given {numbers.count(number)} times'",
)
_NUMBER_GAP = (
    *_NUMBERS,
    "if any(one.outcome == 'unknown' for one in done):",
    "    return None  # it may have taken a number",
    "gaps = [*{*range(START, START + len(numbers))}.difference(numbers)]",
    "if gaps:",
    "    return f'number {min(gaps)} was given to no message; given were {sorted(numbers)}'",
)
_NUMBER_ORDER = (
    *_NUMBERS,
    "number_of = {text: n for one in sent for text, n in zip(one.texts, one.answer)}",
    "order = [number_of[text] for text in last if text in number_of]",
    "if order != sorted(order):",
    "    return f'the messages are read in the order of the numbers {order}'",
)
_RESURRECTION = (
    _READS,
    "gone = [one for one in done if one.call == 'delete' and one.outcome == 'ok']",
    "for delete in gone:",
    "    old = [one for one in done if one.ended < delete.began]",
    "    later = [one.answer for one in reads if one.began > delete.ended]",
    "    for text in (text for one in old for text in one.texts):",
    "        if any(text in texts for texts in [*later, last]):",
    "            return f'{text!r} was deleted with its session, and is back'",
)
_MALFORMED = (
    "for one in done:",
    "    if one.outcome == 'malformed':",
    "        return f'{one.call} of client {one.client + 1} cannot be looked at: {one.answer}'",
)


def rule_of(
    anomaly: Anomaly,
    claims: Claims,
    called: Collection[F],
    *,
    totals: tuple[str, str] = (f"{TOKENS} * len(texts)", f"{TOKENS} * count"),
) -> list[str]:
    """The body of ``wrong(done, last)``; raises Unwritable for what no few lines can judge.

    ``called`` are the calls that the clients make. ``totals`` are expressions of the tokens of all
    ``texts``, and of the first ``count`` of them.
    """
    match anomaly:
        case Anomaly.LOST_MESSAGE | Anomaly.LOST_SESSION:
            return [*_LOST]
        case Anomaly.REORDER:
            return [*(_SAME_ORDER if claims.order == "timestamp" else _PREFIXES)]
        case Anomaly.TORN_BATCH | Anomaly.INTERMEDIATE_READ:
            return [*_WHOLE]
        case Anomaly.PHANTOM | Anomaly.CHANGED:
            return [*_SENT]
        case Anomaly.STALE_READ:
            return _misses("", called)
        case Anomaly.READ_YOUR_WRITES:
            return _misses(" if one.client == read.client", called)
        case Anomaly.NON_MONOTONIC:
            everybody = claims.at_least("consistency", "linearizable")
            return _goes_back("" if everybody else " and one.client == read.client")
        case Anomaly.SEQUENCE_GAP:
            return [f"START = {claims.seq_start or 0}", *_NUMBER_GAP]
        case Anomaly.NOT_LINEARIZABLE:
            return [*_LOST, *_DUPLICATE, *_PREFIXES, *_misses("", called), *_REAL_TIME]
        case Anomaly.COUNTER_DRIFT:
            return _counts(claims, *totals)
        case Anomaly.HANG:
            return ["return None  # all calls have answered"]
    if anomaly in _PLAIN:
        return [*_PLAIN[anomaly]]
    raise Unwritable(f"{anomaly} between clients does not show in a few lines")


_PLAIN = {
    Anomaly.DUPLICATE: _DUPLICATE,
    Anomaly.ABORTED_READ: _ABORTED,
    Anomaly.WRITE_ORDER: _OWN_ORDER,
    Anomaly.REAL_TIME: _REAL_TIME,
    Anomaly.FUTURE_READ: _FUTURE,
    Anomaly.DUPLICATE_SEQUENCE: _NUMBER_TWICE,
    Anomaly.SEQUENCE_ORDER: _NUMBER_ORDER,
    Anomaly.RESURRECTION: _RESURRECTION,
    Anomaly.MALFORMED: _MALFORMED,
}
_NEEDS_NUMBERS = (Anomaly.DUPLICATE_SEQUENCE, Anomaly.SEQUENCE_GAP, Anomaly.SEQUENCE_ORDER)


def needs_numbers(anomaly: Anomaly) -> bool:
    """Whether the rule is about the sequence numbers that appends answer."""
    return anomaly in _NEEDS_NUMBERS


def _misses(whose: str, called: Collection[F] = ()) -> list[str]:
    """Reads that miss what was acknowledged before them, by every call that can show it."""
    lines = [
        "reads = [one for one in done if one.outcome == 'ok' and one.answer is not None]",
        "for read in (one for one in reads if one.call != 'append'):",
        "    before = [one for one in done if one.ended < read.began and one.outcome == 'ok']",
        f"    sent = [text for one in before{whose} for text in one.texts]",
    ]
    if F.COUNT in called:
        lines += [
            "    if read.call in ('count', 'get'):",
            "        if read.answer[0] is not None and read.answer[0] < len(sent):",
            "            return f'a count of {read.answer[0]}, when {len(sent)} were acknowledged'",
            "        continue",
        ]
    if F.READ_LAST in called:
        lines += [
            "    if read.call == 'read_last' and read.answer:",
            "        newest = read.answer[-1]  # it misses only what is behind that",
            "        newer = last[last.index(newest) + 1 :] if newest in last else []",
            "        sent = [text for text in sent if text in newer]",
        ]
    return [
        *lines,
        "    missing = [text for text in sent if text not in read.answer]",
        "    if missing:",
        "        return f'{missing[0]!r} was acknowledged before a {read.call} that misses it'",
    ]


def _goes_back(whose: str) -> list[str]:
    return [
        _READS,
        "for one in reads:",
        "    for read in reads:",
        "        missing = [text for text in one.answer if text not in read.answer]",
        f"        if missing and one.ended < read.began{whose}:",
        "            return f'{missing[0]!r} was read, and a later read misses it'",
    ]


def _counts(claims: Claims, whole: str, part: str) -> list[str]:
    """Counts while clients work, and those at the end, ``(count, total)``, in ``last[-1]``."""
    lines = [
        "*texts, final = last",
        "for count, total in final:",
        "    if count not in (None, len(texts)):",
        "        return f'the count is {count}, and {len(texts)} messages are there'",
        f"    if total not in (None, {whole}):",
        f"        return f'the total is {{total}}, and not {{{whole}}}'",
        "counts = [one for one in done if one.call in ('count', 'get') and one.outcome == 'ok']",
        "for read in (one for one in counts if one.answer[0] is not None):",
        "    count, total = read.answer",
        f"    if total not in (None, {part}):",
        "        return f'a count of {count} messages, and a total of {total} tokens'",
    ]
    if claims.atomic_batches:
        lines += [
            "    edge = {*texts[count - 1 : count + 1]} if 0 < count < len(texts) else None",
            "    if edge and any(edge <= {*one.texts} for one in done):",
            "        return f'a count of {count} ends inside a batch'",
        ]
    if claims.at_least("consistency", "linearizable"):
        lines += [
            "    before = [one for one in done if one.ended < read.began and one.outcome == 'ok']",
            "    least = sum(len(one.texts) for one in before)",
            "    begun = [one for one in done if one.began < read.ended]",
            "    most = sum(len(one.texts) for one in begun)",
            "    if not least <= count <= most:",
            "        return f'a count of {count}, where {least} to {most} messages can be'",
        ]
    return lines
