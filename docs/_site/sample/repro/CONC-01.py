"""CONC-01: No acknowledged append is lost, however many clients write at once.

expected: every acknowledged message is in the last read
seen:     client 1's append of a was acknowledged; the final read answered 1 message, and does not
          have a.

It fails as long as the store does that, and says 'holds now' once it is mended:

    python sessionproof-report/repro/CONC-01.py
"""

import sys

sys.path[:0] = ['']  # the folder where it is started, as in the run
STORE = 'adapter:Store'
from sessionproof import Message


from sessionproof.schedule.plain import done_of, last_of
from sessionproof.schedule.replay import program_of, replays
from sessionproof.schedule.table import drawn, told
from sessionproof.schedule.table_text import text_of

# Calls: number, name, place of the session, number of messages
PROGRAMS = [
    [(1, 'append', 0, 1)],  # client 1
    [(3, 'append', 0, 1)],  # client 2
]
SCHEDULE = [  # task, operation and point of a decision; then who goes on
    ((0, 1, 5), 1),  # client 1 is stopped before: commit; client 2 goes on
]
PROGRAM = program_of(PROGRAMS)


def wrong(done, last):
    """A sentence where the rule is broken (lost-message), None where it holds."""
    for one in done:
        missing = [text for text in one.texts if one.outcome == 'ok' and text not in last]
        if missing:
            return f'{missing[0]!r} was acknowledged, and is not in the last read'


def judged(run):
    """What is wrong with an execution, None where nothing is."""
    if run.ended.value != 'done':
        waits = told(PROGRAM, '; '.join(run.waiting))
        return f'it ended as {run.ended.value}: {waits}'
    return wrong(done_of(PROGRAM, run, 0), last_of(PROGRAM, run, 0))


if __name__ == '__main__':
    runs = replays(
        STORE, PROGRAM, SCHEDULE,
        kind='threads',
        times=20,
        sample=Message('assistant', 'x'),
    )
    problems = [judged(run) for run in runs]
    broken = [problem for problem in problems if problem]
    shown = next((run for run in runs if judged(run)), runs[0])
    print(text_of(drawn(PROGRAM, shown, broken[0] if broken else '', kind='threads')))
    print(f'{len(broken)} of {len(runs)} replays')
    assert not broken, broken[0]
    print('holds now')
