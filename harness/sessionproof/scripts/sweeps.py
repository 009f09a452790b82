"""Scripts of sweeps that ran beside clients, or beside each other: threads, again and again.

Each thread has a store of its own. Where the store takes a clock, each of them stands.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

_SECONDS, _ATTEMPTS = 6, 400
_START_US, _LIMIT_US = 1_893_456_000_000_000, 3_600_000_000


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a script needs to know of a store.

    ``made`` is the expression that makes a session of the name ``name`` by ``maker``, and
    ``message`` that of a message of the text ``text``. ``clock`` says whether opening takes one,
    or a method sets it, or neither.
    """

    made: str
    message: str
    clock: Literal["taken", "set"] | None
    warns: bool = False
    snapshots: bool = False
    readable: bool = True
    batches: bool = False


def beside_lines(setting: Setting) -> list[str]:
    """Lines that fail while a sweep ends a session that is in use, or loses its message."""
    real = setting.clock is None
    limit_us = 300_000 if real else _LIMIT_US
    body = f"""\
sessions, kept, told = prepared({limit_us}), [], []
due = time.monotonic() + {0.3 if real else 0:g}
def use(number):
    mine = opened(START + {limit_us} - 1)
    ready.wait(60)
    time.sleep(max(0, due - 0.015 - time.monotonic()))
    for place in range(len(sessions)):
        session = sessions[(place + 4 * number) % len(sessions)]
        text, began = f'client {{number}}, call {{place}}', time.monotonic()
        with suppress(Exception):  # it may be refused
            mine.append(session, [{setting.message}])
            kept.append((session, text, began))
    mine.close()
def sweep(number):
    mine = opened(START + {limit_us})
    ready.wait(60)
    for _ in range({200 if real else 4}):
        ended = mine.sweep().expired
        told.extend((session, time.monotonic()) for session in ended)
        if {"time.monotonic() > due + 0.05" if real else "ended"}:
            break
    mine.close()
together(use, use, sweep)
for session, text, began in kept:
    for ended, at in told:
        if session == ended and began < at < began + {0.15 if real else 60:g}:
            broken.append(f'{{session}} was used, and the sweep expired it')
"""
    if setting.readable:
        body += """\
reader = opened(START)
for session, text, began in kept:
    if text not in [one.content for one in reader.read(session)]:
        broken.append(f'{text!r} of {session} is gone')
reader.close()
"""
    return _attempts(setting, body)


def together_lines(setting: Setting, *, processes: bool = False) -> list[str]:
    """Lines that fail while sweeps tell of a session more than once, or keep it twice."""
    virtual = setting.clock is not None
    limit_us = _LIMIT_US if virtual else 1
    moments = "(1, 0)" if setting.warns and virtual else "(0,)"
    body = f"""\
sessions, told, answers = prepared({limit_us}), [], Answers()
{"" if virtual else "time.sleep(0.05)"}
def sweep(number):
    mine = opened(START + {limit_us} - before)
    ready.wait(60)
    answers.put(mine.sweep())
    mine.close()
for before in {moments}:
    together(sweep, sweep, sweep)
    while not answers.empty():
        told.append(answers.get())
for session in sessions:
    for kind in ('warned', 'expired'):
        often = sum([*getattr(one, kind)].count(session) for one in told)
        if often > 1:
            broken.append(f'{{session}} was {{kind}} {{often}} times')
    if session not in [name for one in told for name in one.expired]:
        broken.append(f'{{session}} was expired, and nobody was told')
"""
    if not virtual:
        body = "".join(body.rsplit("    if session not in", 1)[:1])
    if setting.snapshots:
        body += """\
    kept = [one.kind for one in store_there.snapshots(session)].count('expiry')
    if kept > 1:
        broken.append(f'{session} is kept {kept} times')
"""
        body = body.replace(
            "for session in sessions:\n    for kind",
            "store_there = opened(START)\nfor session in sessions:\n    for kind",
        )
        body += "store_there.close()\n"
    return _attempts(setting, body, processes=processes)


def _attempts(setting: Setting, body: str, *, processes: bool = False) -> list[str]:
    """The body again and again, each time at an empty location."""
    client, barrier, queue = "threading.Thread", "threading.Barrier", "queue.SimpleQueue"
    if processes:
        client, barrier, queue = "forked.Process", "forked.Barrier", "forked.SimpleQueue"
    clock = """\
class Clock:
    def __init__(self, us):
        self.us = us
    def now_us(self):
        return self.us
"""
    opened = {
        "taken": "    return open_store(location, clock=Clock(us))",
        "set": "    made = open_store(location)\n    made.set_clock(us)\n    return made",
        None: "    return open_store(location)",
    }[setting.clock]
    text = f"""\
{clock if setting.clock == "taken" else ""}
{"forked = multiprocessing.get_context('fork')" if processes else ""}
START, broken, tried, Answers = {_START_US}, [], 0, {queue}
def opened(us):
{opened}
def prepared(limit_us):
    maker, sessions = opened(START), []
    for place in range(12):
        name = text = f's{{place}}'
        session = {setting.made}
        maker.append(session, [{setting.message}])
        maker.set_limits(session, idle_us=limit_us)
        sessions.append(session)
    maker.close()
    return sessions
def together(*works):
    threads = [{client}(target=one, args=(at,)) for at, one in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
until = time.monotonic() + {_SECONDS}
while tried < {_ATTEMPTS} and not broken and time.monotonic() < until:
    tried += 1
    location = Location(Path(tempfile.mkdtemp()))
    ready = {barrier}(3)
{textwrap.indent(body, "    ")}
assert not broken, f'in attempt {{tried}}: {{broken[0]}}'
"""
    return [*_filled(text.split("\n"))]


def _filled(lines: Iterable[str]) -> Iterable[str]:
    return (line for line in lines if line.strip())
