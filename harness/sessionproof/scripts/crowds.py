"""Scripts of crowds: many clients who come to one location at the same moment, again and again.

As the scripts of races they stand alone. What a client does is a few straight lines; what must
hold afterwards are some more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from sessionproof.scripts.blocks import indented
from sessionproof.scripts.clients import ENDED, START, WITH_PARENT, started
from sessionproof.scripts.expressions import TEXT_MOST, Unwritable
from sessionproof.scripts.program import with_awaits

_SECONDS = 12.0  # in which no further attempt begins


@dataclass(frozen=True, kw_only=True)
class Crowd:
    """What each client does, and what must hold.

    ``kind`` is threads, shared, tasks or processes. ``prepared`` are lines that make a location
    ready with an open ``store``, and set ``sessions``. ``visit`` are lines of client ``number``
    with an open ``store``: they add to ``said`` what was acknowledged, and may raise. ``late``
    says that the store is opened only when all are ready. ``wrong`` are lines with an open
    ``store``: they return a sentence where something is wrong with ``said``, by client, or with
    ``problems``, what clients raised. ``answer_s`` bounds an attempt where a call hung.
    """

    kind: str
    clients: int
    attempts: int
    visit: Sequence[str]
    wrong: Sequence[str]
    prepared: Sequence[str] = ("sessions = []",)
    late: bool = False
    awaited: Collection[str] = ()
    answer_s: float | None = None


def crowd_script(crowd: Crowd) -> tuple[str, ...]:
    """The lines of the script; raises Unwritable for one that is too long for a person."""
    lines = [
        f"CLIENTS, ATTEMPTS, ENOUGH, SECONDS = {crowd.clients}, {crowd.attempts}, 3, {_SECONDS:g}",
        *_function(crowd, "prepared(location)", _opened(crowd.prepared, "return sessions")),
        *_function(crowd, "visit(place, sessions, number, ready, said)", _visit(crowd)),
        *_function(crowd, "wrong(location, sessions, said, problems)", _looked(crowd)),
        *(_tasks() if crowd.kind == "tasks" else _clients(crowd)),
        *("", "", START),
        *indented(_main(crowd)),
    ]
    text = with_awaits("\n".join(lines), crowd.awaited)
    if len(text) > TEXT_MOST:
        raise Unwritable(f"it would be {len(text):,} characters long")
    return tuple(text.split("\n"))


def _opened(body: Sequence[str], *end: str) -> Iterator[str]:
    yield "store = open_store(location)"
    yield from body
    yield "store.close()"
    yield from end


def _visit(crowd: Crowd) -> Iterator[str]:
    if crowd.kind in ("shared", "tasks"):
        yield "store = place"
    wait = ["ready.wait(60)"] if crowd.kind != "tasks" else []
    if crowd.late:
        yield from (*wait, "store = open_store(place)")
    else:
        if crowd.kind not in ("shared", "tasks"):
            yield "store = open_store(place)"
        yield from wait
    yield from crowd.visit
    if crowd.kind not in ("shared", "tasks"):
        yield "store.close()"


def _looked(crowd: Crowd) -> Iterator[str]:
    yield "if problems:"
    yield "    return problems[0]"
    if crowd.wrong:
        yield "store = open_store(location)"
        yield from crowd.wrong
        yield "store.close()"


def _tasks() -> Iterator[str]:
    yield from ("", "", "async def client(store, sessions, number, answers):")
    yield "    said = []"
    yield "    try:"
    yield "        await visit(store, sessions, number, None, said)"
    yield "        answers.append((number, said, None))"
    yield "    except Exception as error:"
    yield "        answers.append((number, said, f'{type(error).__name__}: {error}'))"
    yield from ("", "", "async def together(location, sessions):")
    yield "    store = open_store(location)"
    yield "    answers = []"
    yield "    clients = (client(store, sessions, number, answers) for number in range(CLIENTS))"
    yield "    await asyncio.gather(*clients)"
    yield "    store.close()"
    yield "    return answers"


def _clients(crowd: Crowd) -> Iterator[str]:
    yield from ("", "", "def client(number, orders, ready, answers):")
    if crowd.kind == "processes":
        yield from WITH_PARENT
    yield "    for place, sessions in iter(orders.get, None):"
    yield "        said, problem = [], None"
    yield "        try:"
    yield f"            {_run(crowd, 'visit(place, sessions, number, ready, said)')}"
    yield "        except Exception as error:"
    yield "            problem = f'{type(error).__name__}: {error}'"
    yield "        answers.put((number, said, problem))"


def _main(crowd: Crowd) -> Iterator[str]:
    if crowd.kind != "tasks":
        yield from started(crowd.kind == "processes", "range(CLIENTS)", "CLIENTS")
    yield "broken, tried, until = [], 0, time.monotonic() + SECONDS"
    yield "while tried < ATTEMPTS and len(broken) < ENOUGH and time.monotonic() < until:"
    if crowd.answer_s is not None:
        yield f"    faulthandler.dump_traceback_later({crowd.answer_s:g}, exit=True)  # no answer"
    yield "    location = Location(Path(tempfile.mkdtemp()))"
    untouched = crowd.late and len(crowd.prepared) == 1
    made = _run(crowd, "prepared(location)")
    yield f"    sessions = {'[]' if untouched else made}"
    if crowd.kind == "tasks":
        yield f"    done = {_run(crowd, 'together(location, sessions)')}"
    else:
        place = "location"
        if crowd.kind == "shared":
            yield "    place = open_store(location)"
            place = "place"
        yield "    for order in orders:"
        yield f"        order.put(({place}, sessions))"
        yield "    done = [answers.get() for _ in clients]"
        if crowd.kind == "shared":
            yield "    place.close()"
    yield "    said = [texts for _, texts, _ in sorted(done)]"
    yield "    problems = [problem for *_, problem in done if problem]"
    yield f"    problem = {_run(crowd, 'wrong(location, sessions, said, problems)')}"
    if crowd.answer_s is not None:
        yield "    faulthandler.cancel_dump_traceback_later()"
    yield "    broken += [problem] if problem else []"
    yield "    tried += 1"
    if crowd.kind != "tasks":
        yield from ENDED
    yield "print(f'{len(broken)} of {tried} attempts')"
    yield "assert not broken, broken[0]"


def _function(crowd: Crowd, signature: str, body: Iterator[str]) -> Iterator[str]:
    yield from ("", "", f"{'async ' if crowd.awaited else ''}def {signature}:")
    yield from indented(body)


def _run(crowd: Crowd, called: str) -> str:
    return f"asyncio.run({called})" if crowd.awaited else called
