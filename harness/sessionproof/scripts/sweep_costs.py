"""Scripts of sweeps and clean-ups that cost more, the more sessions are stored."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from sessionproof.scripts.lifetime import Times
from sessionproof.scripts.sweeps import Setting

SMALL, LARGE = 100, 3_000
_LOOKS = 9
_YEAR_US = 31_536_000_000_000


@dataclass(frozen=True, kw_only=True)
class Swept:
    """The functions of a script, as text: ``opened()`` opens a store at an empty location.

    ``stored(made, place)`` makes a session that is not due, ``due(made, turn, place)`` one that is,
    and ``find(made)`` finds what is due. ``noun`` is the word for that.
    """

    functions: str
    noun: str


def by_limits(setting: Setting) -> Swept:
    """Limits of sessions, and sweeps."""
    made = setting.made.replace("maker", "made")
    functions = f"""\
def opened():
    return open_store(Location(Path(tempfile.mkdtemp())))
def session_of(made, name, limit_us):
    text = 'x'
    session = {made}
    made.append(session, [{setting.message}])
    made.set_limits(session, idle_us=limit_us)
def stored(made, place):
    session_of(made, f's{{place}}', {_YEAR_US} if place % 2 else 1)
def due(made, turn, place):
    session_of(made, f'due {{turn}} {{place}}', 1)
    time.sleep(0.001)
def find(made):
    made.sweep()
"""
    return Swept(functions=functions, noun="sweep")


def by_clean_ups(times: Times, over_us: int) -> Swept:
    """A manager's sessions and clean-ups; those that are due were made ``over_us`` before."""
    clock, given = "", ""
    moved = "    made.set_clock(us)"
    if times.clock == "factory":
        clock = "class Clock:\n    us = 0\n    def now_us(self):\n        return self.us\n"
        clock += "clock = Clock()\n"
        given, moved = ", clock=clock", "    clock.us = us"
    functions = f"""\
{clock}def opened():
    return open_store(Location(Path(tempfile.mkdtemp())){given})
def at(made, us):
{moved}
def stored(made, place):
    at(made, {times.began_us})
    made.manager('create_session', {{}})
def due(made, turn, place):
    at(made, {times.began_us - over_us})
    made.manager('create_session', {{}})
    at(made, {times.began_us})
def find(made):
    made.manager('cleanup', {{}})
"""
    return Swept(functions=functions, noun="clean-up")


def step_lines(swept: Swept, due: int) -> list[str]:
    """Lines that fail while a sweep takes more steps of SQLite's machine among many sessions."""
    return _lines(
        swept,
        due,
        before="""\
seen = []
def watched(*arguments, connect=sqlite3.connect, **options):
    db = connect(*arguments, **options)
    db.set_progress_handler(lambda: seen.append(1), 1)
    return db
sqlite3.connect = sqlite3.dbapi2.connect = watched
""",
        looked="""\
    seen.clear()
    find(made)
    return len(seen)
""",
        unit="steps in SQLite",
        factor=2.0,
    )


def time_lines(swept: Swept, due: int) -> list[str]:
    """Lines that fail while a sweep takes much longer among many sessions."""
    return _lines(
        swept,
        due,
        before="",
        looked="""\
    began = time.perf_counter()
    find(made)
    return (time.perf_counter() - began) * 1e6
""",
        unit="microseconds",
        factor=2.5,
    )


def _lines(
    swept: Swept, number: int, *, before: str, looked: str, unit: str, factor: float
) -> list[str]:
    text = f"""\
{before}
{swept.functions}
def filled(number):
    made = opened()
    for place in range(number):
        stored(made, place)
    find(made)
    return made
def look(made, turn):
    for place in range({number}):
        due(made, turn, place)
{looked}
few, many = filled({SMALL}), filled({LARGE})
small, large = [], []
for turn in range({_LOOKS}):
    small.append(look(few, turn))
    large.append(look(many, turn))
few.close()
many.close()
small, large = statistics.median(small), statistics.median(large)
if not small:
    sys.exit('nothing was seen of a {swept.noun}')
assert large < {factor} * small, f'{{large:.0f}} {unit} among {LARGE:,} sessions, \
and {{small:.0f}} among {SMALL}'
"""
    return [line for line in textwrap.dedent(text).split("\n") if line.strip()]
