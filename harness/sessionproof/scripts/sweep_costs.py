"""Scripts of sweeps that cost more, the more sessions are stored."""

from __future__ import annotations

import textwrap

from sessionproof.scripts.sweeps import Setting

SMALL, LARGE = 100, 3_000
_LOOKS = 9
_YEAR_US = 31_536_000_000_000


def step_lines(setting: Setting, due: int) -> list[str]:
    """Lines that fail while a sweep takes more steps of SQLite's machine among many sessions."""
    return _lines(
        setting,
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
    made.sweep()
    return len(seen)
""",
        unit="steps in SQLite",
        factor=2.0,
    )


def time_lines(setting: Setting, due: int) -> list[str]:
    """Lines that fail while a sweep takes much longer among many sessions."""
    return _lines(
        setting,
        due,
        before="",
        looked="""\
    began = time.perf_counter()
    made.sweep()
    return (time.perf_counter() - began) * 1e6
""",
        unit="microseconds",
        factor=2.5,
    )


def _lines(
    setting: Setting, due: int, *, before: str, looked: str, unit: str, factor: float
) -> list[str]:
    made = setting.made.replace("maker", "made")
    text = f"""\
{before}
def session_of(made, name, limit_us):
    text = 'x'
    session = {made}
    made.append(session, [{setting.message}])
    made.set_limits(session, idle_us=limit_us)
def filled(number):
    made = open_store(Location(Path(tempfile.mkdtemp())))
    for place in range(number):
        session_of(made, f's{{place}}', {_YEAR_US} if place % 2 else 1)
    made.sweep()
    return made
def look(made, turn):
    for place in range({due}):
        session_of(made, f'due {{turn}} {{place}}', 1)
    time.sleep(0.001)
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
    sys.exit('nothing was seen of a sweep')
assert large < {factor} * small, f'{{large:.0f}} {unit} among {LARGE:,} sessions, \
and {{small:.0f}} among {SMALL}'
"""
    return [line for line in textwrap.dedent(text).split("\n") if line.strip()]
