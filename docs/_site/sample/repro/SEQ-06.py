"""SEQ-06: Any two reads of a session agree on the order of the messages that both saw.

expected: all reads agree on the order of the messages
seen:     client 2's read (1 message) has messages that the other one does not have, and misses some
          that it has, compared with the quiet one's read (1 message).

It fails as long as the store does that, and says 'holds now' once it is mended:

    python sessionproof-report/repro/SEQ-06.py
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
    [(2, 'append', 0, 1)],  # client 1
    [(3, 'append', 0, 1), (4, 'read', 0, 0)],  # client 2
]
SCHEDULE = [  # task, operation and point of a decision; then who goes on
    ((0, 2, 4), 1),  # client 1 is stopped before: INSERT OR REPLACE INTO messages VALUE...; client 2 goes on
]
PROGRAM = program_of(PROGRAMS)


def wrong(done, last):
    """A sentence where the rule is broken (incompatible-order), None where it holds."""
    reads = [one for one in done if one.call in ('read', 'page') and one.outcome == 'ok']
    for one in reads:
        for place, text in enumerate(one.answer):
            if last[place : place + 1] != [text]:
                there = last[place] if place < len(last) else 'nothing'
                return f'place {place} of a read is {text!r}, and of the last one {there!r}'


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
