"""Scripts of races: clients that do their small programs at once, again and again.

A script stands alone: it opens its locations itself, says in how many of its attempts the rule was
broken, and fails if it was in any.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message
from sessionproof.history.columns import F
from sessionproof.scripts.blocks import indented
from sessionproof.scripts.clients import ENDED, START, WITH_PARENT, started
from sessionproof.scripts.expressions import TEXT_MOST, Unwritable, message, values
from sessionproof.scripts.race_rules import TOKENS, needs_numbers, rule_of
from sessionproof.workload.rounds import Call
from sessionproof.workload.vocabulary import takes_times

_METHODS = {
    F.APPEND: "append", F.READ: "read", F.READ_LAST: "read_last", F.PAGES: "page",
    F.COUNT: "count", F.CREATE: "create", F.DELETE: "delete",
}  # fmt: skip
_ATTEMPTS_MOST, _ATTEMPTS_LEAST = 200, 20
_ATTEMPTS_USUAL = 150  # a script has less pressure than the harness; a break ends it early
_SECONDS = 8.0  # for all attempts of a script
_SHOWN = 3  # attempts that fail are enough
_PAUSES_S = [0.0, 0.0, 0.0, 0.0001, 0.001]
_MISSED = 0.05  # of the runs of a script may show nothing


@dataclass(frozen=True, kw_only=True)
class Race:
    """What clients did at once, and what was broken by it.

    ``kind`` is threads, shared, tasks or processes; ``programs`` are the calls of each client, on
    one session. ``created`` says that the session is made before they begin, ``numbers`` in how
    many attempts it is tried. ``sample`` is the message that is sent, with texts of its own;
    ``awaited`` are the methods that answer awaitables. ``answer_s`` is what an attempt is given
    where a call hung. After so many calls, ``meets``, clients wait for each other; the first makes
    so many of its calls ``before`` the others begin. With ``pauses`` they let a moment of chance
    pass before each call, so that no two attempts are alike.
    """

    anomaly: Anomaly
    kind: str
    programs: Sequence[Sequence[Call]]
    attempts: int
    sample: Message
    claims: Claims
    capabilities: Collection[str]
    awaited: Collection[str] = ()
    created: bool = True
    answer_s: float = 20.0
    meets: int = 2
    before: int = 0
    pauses: bool = False


def attempts_for(failed: int, tried: int, attempt_s: float) -> int:
    """How many attempts show a break in 95 % of runs, if so many of those that were tried did.

    At most what takes about eight seconds at ``attempt_s`` each.
    """
    rate = min(failed / tried, 0.99) if tried and failed else 1 / 50
    wanted = math.ceil(8 * math.log(_MISSED) / math.log(1 - rate))  # it is not our own machinery
    bearable = int(_SECONDS / max(attempt_s, 1e-4))
    return max(_ATTEMPTS_LEAST, min(max(wanted, _ATTEMPTS_USUAL), bearable, _ATTEMPTS_MOST))


def race_script(race: Race) -> tuple[str, ...]:
    """The lines of the script; raises Unwritable where no such lines show it."""
    called = {call.f for program in race.programs for call in program}
    if not called <= _METHODS.keys():
        raise Unwritable("what is right after several clients emptied a session takes a search")
    if F.DELETE in called and race.anomaly is not Anomaly.RESURRECTION:
        raise Unwritable("what is right while a session is deleted takes a search")
    if race.sample.kind == "tool_call":
        raise Unwritable("the store takes tool calls alone, which have no text")
    rule = rule_of(race.anomaly, race.claims, called)
    lines = [
        *_constants(race),
        *_function(race, "work", _WORK[race.kind == "tasks"], _work(race, called)),
        *_function(race, "prepared", "location", _prepared(race)),
        *_function(race, "looked", "location, session", _looked(race)),
        *("", "", "def wrong(done, last):", *indented([f'"""{_meaning(race)}"""', *rule])),
        *_crew(race),
        *("", "", START),
        *indented(_main(race)),
    ]
    text = "\n".join(lines)
    if len(text) > TEXT_MOST:
        raise Unwritable(f"it would be {len(text):,} characters long")
    return tuple(lines)


def _constants(race: Race) -> Iterator[str]:
    yield "PROGRAMS = [  # the calls of each client, and how many messages they give or ask for"
    before = _before(race)
    for place, program in enumerate(race.programs):
        named = [(name, call.n) for call in program for name in _names(race, call.f)]
        waits = before if place and race.kind != "tasks" else 0
        yield f"    {values([None] * waits + named)},"
    yield "]"
    yield f"ATTEMPTS, SECONDS = {race.attempts}, {2 * _SECONDS:g}"
    if race.pauses:
        yield f"PAUSES = {values(_PAUSES_S)}"
    yield "Done = namedtuple('Done', 'client call texts outcome answer began ended')"


def _before(race: Race) -> int:
    """How many calls of the script the first client makes before the others begin."""
    first = race.programs[0][: race.before] if race.programs else ()
    return sum(len(_names(race, call.f)) for call in first)


def _meets(race: Race) -> int:
    """After how many calls clients wait for each other.

    Two appends of one client change places only where it does not wait for others in between.
    """
    if race.anomaly is Anomaly.WRITE_ORDER:
        return max(race.meets, *map(len, race.programs))
    return race.meets


_WORK = {True: "store, session, client, calls", False: "store, session, client, ready"}


def _work(race: Race, called: Collection[F]) -> Iterator[str]:
    yield '"""Do the calls of this client one after another; answers what came of each."""'
    yield "done = []"
    if race.kind == "tasks":
        yield "for place, (call, n) in calls:"
    else:
        yield "for place in range(max(map(len, PROGRAMS))):"
        first = f"place <= {_before(race)} or " if race.before else ""
        yield f"    if {first}place % {_meets(race)} == 0:"
        yield "        ready.wait(60)  # clients stay together"
        none = " or PROGRAMS[client][place] is None" if race.before else ""
        yield f"    if place >= len(PROGRAMS[client]){none}:"
        yield "        continue"
        yield "    call, n = PROGRAMS[client][place]"
    if race.pauses:
        pause = "await asyncio.sleep" if race.kind == "tasks" else "time.sleep"
        yield f"    {pause}(random.choice(PAUSES))  # so that no two attempts are alike"
    yield "    given = n if call in ('append', 'create') else 0"
    yield "    stem = f'client {client + 1}, call {place + 1}, text'"
    yield "    texts = [f'{stem} {k + 1}' for k in range(given)]"
    yield "    answer, outcome, began = None, 'ok', time.monotonic_ns()"
    yield "    try:"
    word = "if"
    for f in (f for f in _METHODS if f in called):
        for name in _names(race, f):
            yield f"        {word} call == '{name}':"
            yield from (f"            {line}" for line in _call(race, f, name))
            word = "elif"
    yield "    except Refused:"
    yield "        outcome = 'refused'"
    if race.anomaly is Anomaly.MALFORMED:
        yield "    except (TypeError, AttributeError) as error:"
        yield "        outcome, answer = 'malformed', str(error)"
    yield "    except Exception as error:"
    yield "        print(type(error).__name__, error)"
    yield "        outcome = 'unknown'"
    yield "    done.append(Done(client, call, texts, outcome, answer, began, time.monotonic_ns()))"
    if race.kind == "tasks":
        yield "    await asyncio.sleep(0)  # others have their turn"
    yield "return done"


def _names(race: Race, f: F) -> list[str]:
    """The methods that make this call: counts are asked for in each way that there is."""
    if f is not F.COUNT:
        return [_METHODS[f]]
    return [name for name in ("get", "count") if name in race.capabilities]


def _call(race: Race, f: F, name: str) -> Iterator[str]:
    """The lines of one call, which leave in ``answer`` what the rules look at."""
    match f:
        case F.APPEND:
            yield f"batch = [{_message(race, 'text')} for text in texts]"
            yield "for again in range(40):  # a conflict is tried again"
            yield "    try:"
            yield f"        receipt = {_await(race, 'append')}store.append(session, batch)"
            yield "        break"
            yield "    except Conflict:"
            pause = "await asyncio.sleep" if _is_async(race) else "time.sleep"
            yield f"        {pause}(again / 10_000)"
            yield "else:"
            yield "    raise Conflict('each time')"
            if needs_numbers(race.anomaly):
                yield "answer = [*receipt.seqs]"
        case F.CREATE:
            yield f"batch = [{_message(race, 'text')} for text in texts]"
            yield f"{_await(race, 'create')}store.create(session, messages=batch)"
        case F.READ:
            yield f"answer = [one.content for one in {_await(race, 'read')}store.read(session)]"
        case F.READ_LAST:
            newest = f"{_await(race, 'read_last')}store.read_last(session, n)"
            yield f"answer = [one.content for one in {newest}]"
        case F.PAGES:
            yield "answer, passed, cursor = [], [], None"
            yield "while cursor is not None or not passed:"
            yield "    began = time.monotonic_ns()  # of the last page"
            page = f"{_await(race, 'page')}store.page(session, cursor=cursor, limit=n)"
            yield f"    page = {page}"
            yield "    answer += [one.content for one in page.messages]"
            yield "    passed.append(cursor)"
            yield "    cursor = page.next"
            yield "    if cursor is not None and cursor in passed:"
            yield "        raise TypeError(f'the cursor {cursor!r} leads back')"
        case F.COUNT:
            yield from _count(race, name, "answer")
        case F.DELETE:
            yield f"{_await(race, 'delete')}store.delete(session)"


def _count(race: Race, name: str, into: str) -> Iterator[str]:
    """Count and total of the session; None for what the store does not keep."""
    if name == "get":
        yield f"info = {_await(race, 'get')}store.get(session)"
        total = "info.total_tokens" if "tokens" in race.claims.keeps else "None"
        yield f"{into} = info.message_count, {total}"
    else:
        yield f"{into} = {_await(race, 'count')}store.count(session), None"


def _prepared(race: Race) -> Iterator[str]:
    yield '"""An empty store with what it needs for the session; answers the session\'s id."""'
    yield f"store = {_await(race, 'open')}open_store(location)"
    yield "session = 's0'"
    if race.created and "create" in race.capabilities:
        named_by_store = race.claims.session_ids == "store"
        made = f"{_await(race, 'create')}store.create({'' if named_by_store else 'session'})"
        yield f"session = {made}"
    yield f"{_await(race, 'close')}store.close()"
    yield "return session"


def _looked(race: Race) -> Iterator[str]:
    yield '"""What is there when all is quiet, as a fresh handle reads it."""'
    yield f"store = {_await(race, 'open')}open_store(location)"
    yield "try:"
    yield f"    last = [one.content for one in {_await(race, 'read')}store.read(session)]"
    yield "except NotFound:"
    yield "    last = []"
    if race.anomaly is Anomaly.COUNTER_DRIFT:
        for name in _names(race, F.COUNT):
            yield from _count(race, name, name)
        yield f"last.append([{', '.join(_names(race, F.COUNT))}])"
    yield f"{_await(race, 'close')}store.close()"
    yield "return last"


def _crew(race: Race) -> Iterator[str]:
    """What has the clients work at once."""
    if race.kind == "tasks":
        yield from _function(race, "together", "location, session", _tasks(race))
        return
    place = "store" if race.kind == "shared" else "location"
    yield from _function(race, "visit", f"{place}, session, client, ready", _visit(race))
    yield from ("", "", "def client(number, orders, ready, answers):")
    yield '    """Work wherever it is told to, at the same time as the others."""'
    if race.kind == "processes":
        yield from WITH_PARENT
    yield "    for place, session in iter(orders.get, None):"
    yield "        try:"
    visit = _run(race, "visit(place, session, number, ready)")
    yield f"            answers.put({visit})"
    yield "        except Exception as error:"
    yield "            ready.abort()"
    yield "            answers.put(f'{type(error).__name__}: {error}')"


def _visit(race: Race) -> Iterator[str]:
    if race.kind != "shared":
        yield f"store = {_await(race, 'open')}open_store(location)"
    yield f"done = {'await ' if _is_async(race) else ''}work(store, session, client, ready)"
    if race.kind != "shared":
        yield f"{_await(race, 'close')}store.close()"
    yield "return done"


def _tasks(race: Race) -> Iterator[str]:
    """All clients as tasks of one loop, on one handle if it may be shared."""
    if race.claims.shared_handle:
        yield f"store = {_await(race, 'open')}open_store(location)"
        yield "stores = [store] * len(PROGRAMS)"
    else:
        yield f"stores = [{_await(race, 'open')}open_store(location) for _ in PROGRAMS]"
    yield "calls = [[*enumerate(program)] for program in PROGRAMS]"
    if race.before:
        yield f"first, calls[0] = calls[0][:{_before(race)}], calls[0][{_before(race)}:]"
        yield "done = [await work(stores[0], session, 0, first)]  # before the others begin"
    yield "tasks = (work(stores[at], session, at, calls[at]) for at in range(len(PROGRAMS)))"
    yield f"done {'+' * bool(race.before)}= await asyncio.gather(*tasks)"
    yield "for store in {id(store): store for store in stores}.values():"
    yield f"    {_await(race, 'close')}store.close()"
    yield "return [one for program in done for one in program]"


def _main(race: Race) -> Iterator[str]:
    tasks, processes = race.kind == "tasks", race.kind == "processes"
    if not tasks:
        yield from started(processes, "PROGRAMS", "len(PROGRAMS)")
    yield "broken, tried, until = [], 0, time.monotonic() + SECONDS"
    yield f"while tried < ATTEMPTS and len(broken) < {_SHOWN} and time.monotonic() < until:"
    if race.anomaly is Anomaly.HANG:
        stop = f"faulthandler.dump_traceback_later({race.answer_s:g}, exit=True)"
        yield f"    {stop}  # no answer"
    yield "    location = Location(Path(tempfile.mkdtemp()))"
    yield f"    session = {_run(race, 'prepared(location)')}"
    if tasks:
        yield f"    done = {_run(race, 'together(location, session)')}"
    else:
        yield from indented(_ordered(race))
    yield f"    last = {_run(race, 'looked(location, session)')}"
    if race.anomaly is Anomaly.HANG:
        yield "    faulthandler.cancel_dump_traceback_later()"
    yield "    problem = wrong(sorted(done, key=lambda one: one.began), last)"
    yield "    broken += [problem] if problem else []"
    yield "    tried += 1"
    if not tasks:
        yield from ENDED
    yield "print(f'{len(broken)} of {tried} attempts')"
    yield "assert not broken, broken[0]"


def _ordered(race: Race) -> Iterator[str]:
    """The clients are told to work, and have answered."""
    shared = race.kind == "shared"
    if shared:
        yield f"store = {_await(race, 'open')}open_store(location)"
    yield "for order in orders:"
    yield f"    order.put(({'store' if shared else 'location'}, session))"
    yield "done = []"
    yield "for answer in [answers.get() for _ in clients]:"
    yield "    if isinstance(answer, str):"
    yield "        sys.exit(answer)  # a client could not work at all"
    yield "    done += answer"
    if shared:
        yield "store.close()"


def _function(race: Race, name: str, parameters: str, body: Iterator[str]) -> Iterator[str]:
    yield from ("", "", f"{'async ' if _is_async(race) else ''}def {name}({parameters}):")
    yield from indented(body)


def _run(race: Race, called: str) -> str:
    return f"asyncio.run({called})" if _is_async(race) else called


def _is_async(race: Race) -> bool:
    return race.kind == "tasks" or bool(race.awaited)


def _await(race: Race, method: str) -> str:
    return "await " if method in race.awaited else ""


def _message(race: Race, content: str) -> str:
    """The call that makes a message with this text."""
    made = message(race.sample, content=content)
    also = {}
    if takes_times(race.claims):
        also["created_at_us"] = "1_767_225_600_000_000"  # one for all: ties stay as appended
    if race.anomaly is Anomaly.COUNTER_DRIFT and "tokens" in race.claims.keeps:
        also["tokens"] = str(TOKENS)
    return f"{made[:-1]}{''.join(f', {name}={value}' for name, value in also.items())})"


def _meaning(race: Race) -> str:
    return f"A sentence where the rule is broken ({race.anomaly}), None where it holds."
