"""Growth as lines of a script: two sizes on two locations, and calls that take turns."""

from __future__ import annotations

from sessionproof.contract.measurements import Growth
from sessionproof.contract.operations import shown_text
from sessionproof.trials.filled import DEEP, DEEP_LIMIT, LOOK, text_of
from sessionproof.trials.lines import made, said
from sessionproof.trials.single import Trial
from sessionproof.workload.texts import ZEROS

_CALLS = 40  # at each size
_LOOKED_AT = 60  # messages of a session among many
_LEAST_RATIO = 1.5


def script_of_growth(trial: Trial, one: Growth, most: int) -> list[str]:
    """Lines that fail while the largest size costs much more than the smallest.

    ``most`` is the largest batch that the store takes. What is allowed lies halfway, by ratio,
    between no growth and what was measured.
    """
    allowed = max(_LEAST_RATIO, one.factor**0.5)
    small, large = one.sizes[0], one.sizes[-1]
    sizes = {"store": large, "other": small}
    return [
        "other = open_store(Location(Path(tempfile.mkdtemp())))",
        _texts(trial),
        *(line for at, size in sizes.items() for line in _filled(trial, one, at, size, most)),
        "small, large = [], []",
        f"for _ in range({_CALLS}):",
        "    start = time.perf_counter()",
        f"    {_call(trial, one, 'other')}",
        "    middle = time.perf_counter()",
        f"    {_call(trial, one, 'store')}",
        "    large.append(time.perf_counter() - middle)",
        "    small.append(middle - start)",
        "other.close()",
        "ratio = statistics.median(large) / statistics.median(small)",
        f'assert ratio < {allowed:.2g}, f"at {large:,} {one.along} it costs {{ratio:.1f}} times '
        f'what it costs at {small:,}"',
    ]


def _filled(trial: Trial, one: Growth, store: str, size: int, most: int) -> list[str]:
    """The lines that fill a store, and leave a session and a cursor in variables of its name."""
    message = _message(trial)
    session = [line.replace("store.", f"{store}.") for line in made(trial, _session(store))]
    if one.along == "messages":
        return [*session, *_appends(store, size, message, most), *_deep(one, store, size)]
    name = "" if trial.claims.session_ids == "store" else "f'session-{n}'"
    if "create" not in trial.capabilities:
        each = f"{store}.append({name}, [{message}])"
    elif not trial.claims.limits.first_messages:
        each = f"{store}.append({store}.create({name}), [{message}])"
    else:
        each = f"{store}.create({', '.join(filter(None, (name, f'messages=[{message}]')))})"
    return [
        f"for n in range({size}):",
        f"    {each}",
        *session,
        *_appends(store, _LOOKED_AT, message, most),
        *_deep(one, store, _LOOKED_AT),
    ]


def _appends(store: str, size: int, message: str, most: int) -> list[str]:
    batch = f"[{message} for _ in range(min({most}, {size} - n))]"
    return [
        f"for n in range(0, {size}, {most}):",
        f"    {store}.append({_session(store)}, {batch})",
    ]


def _texts(trial: Trial) -> str:
    """The line that makes texts of which no two are equal, as a store may drop what it knows."""
    text = text_of(trial)
    digits = min(len(text), len(ZEROS))  # as ``with_number`` has them
    number = f"f'{{n % {10**digits}:0{digits}}}'"
    return f"texts = ({text[:-digits]!r} {number} for n in range({10 ** len(ZEROS)}))"


def _message(trial: Trial) -> str:
    """A message with the next of these texts, as the expression that makes it."""
    text = text_of(trial)
    return said(trial, text).replace(shown_text(text), "next(texts)")


def _deep(one: Growth, store: str, messages: int) -> list[str]:
    """A cursor deep in the session, for calls of ``page``."""
    if one.operation != "page":
        return []
    wanted = int(min(DEEP * messages, messages - LOOK))
    limit = f"limit=min({DEEP_LIMIT}, {wanted} - seen)"
    return [
        f"cursor_{store}, seen = None, 0",
        f"while seen < {wanted}:",
        f"    page = {store}.page({_session(store)}, cursor=cursor_{store}, {limit})",
        f"    cursor_{store}, seen = page.next, seen + len(page.messages)",
    ]


def _call(trial: Trial, one: Growth, store: str) -> str:
    session = _session(store)
    match one.operation:
        case "append":
            return f"{store}.append({session}, [{_message(trial)}])"
        case "read_last":
            return f"{store}.read_last({session}, {LOOK})"
        case "page":
            return f"{store}.page({session}, cursor=cursor_{store}, limit={LOOK})"
        case other:
            return f"{store}.{other}({session})"


def _session(store: str) -> str:
    return f"session_of_{store}"
