"""Whether each of several clients has its turn."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from sessionproof.contract.anomalies import Anomaly
from sessionproof.contract.operations import Outcome
from sessionproof.contract.verdicts import Finding
from sessionproof.history.columns import F
from sessionproof.scripts.crowds import Crowd
from sessionproof.trials.crowds import Turns, answered, script, working
from sessionproof.trials.lines import made, said
from sessionproof.trials.single import Broken, Trial
from sessionproof.workload.crews import Crew
from sessionproof.workload.rounds import Call

OTHERS = 1_000  # operations of another, during which a client must complete one
_LONG_NS = 1_000_000_000  # an overloaded machine keeps a client from working for less
_CALLS = 20_000
_LEAST_S, _LONGER, _MOST_S = 1.8, 2.5, 10.0  # of a round
_CLIENTS = 4
_TWICE = 2


def nobody_starves(trial: Trial, turns: Turns, one: Crew) -> Outcome | None:
    """Some clients append without a pause; raises Broken where one of them starves.

    It does where it completes nothing for a second while another completes a thousand operations,
    in two rounds. A round is longer where nobody was so quick, and at the end that is noted.
    Answers what stopped a round, if anything did.
    """
    clients, budget_s = min(_CLIENTS, one.clients), _LEAST_S
    programs = [[Call(F.APPEND, client, 1)] * _CALLS for client in range(clients)]
    seen: list[tuple[int, int, float]] = []
    while len(seen) < _TWICE:
        worked = turns.play(one, programs, clients, budget_s=budget_s, location=True)
        if worked.stopped is not None:
            return worked.stopped
        starved = starving(working(worked.history), clients)
        if starved is None:
            return None
        if not isinstance(starved, str):
            seen.append(starved)
        elif budget_s < _MOST_S:
            budget_s = min(_MOST_S, _LONGER * budget_s)
        else:
            trial.notes.append(starved)
            return None
    client, other, seconds = seen[-1]
    raise Broken(
        Finding(
            anomaly=Anomaly.STARVED,
            did=f"{clients} of {one.named} appended without a pause",
            expected="each has its turn: the store claims to be fair",
            seen=f"client {client + 1} completed nothing for {seconds:.1f} s, in which another "
            f"completed {other:,} appends",
            repeats=f"{_TWICE} of {_TWICE} rounds",
            script=_script(trial, one, clients),
        )
    )


def starving(rows: npt.NDArray[np.void], clients: int) -> tuple[int, int, float] | str | None:
    """A client that starves, what another did meanwhile, and for how many seconds.

    A text where no client was quick enough to tell, None where each had its turn.
    """
    seat = rows["client"] % (clients + 1)
    ended = [np.sort(rows["ret"][(seat == at) & answered(rows)]) for at in range(clients)]
    last = int(max((times[-1] for times in ended if len(times)), default=0))
    if max(map(len, ended), default=0) < OTHERS:
        quickest = max(map(len, ended), default=0)
        return f"the quickest client completed {quickest:,} operations: too few to tell of fairness"
    for at in range(clients):
        begun = rows["inv"][seat == at]
        if not len(begun):
            continue
        times = np.concatenate(([begun.min()], ended[at], [max(last, int(begun.max()))]))
        for begin, end in itertools.pairwise(times):
            if end - begin < _LONG_NS:
                continue
            inside = [
                int(np.searchsorted(other, end) - np.searchsorted(other, begin, side="right"))
                for other in ended
            ]
            # After its last call, a client that has nothing left to do waits for nobody.
            waits = bool((begun >= begin).any()) or len(ended[at]) == 0
            if waits and max(inside) >= OTHERS:
                return at, max(inside), float(end - begin) / 1e9
    return None


def _script(trial: Trial, one: Crew, clients: int) -> tuple[str, ...]:
    names = [f"s{at}" for at in range(clients)]
    return script(
        Crowd(
            kind=one.kind,
            clients=clients,
            attempts=2,
            prepared=[*made(trial, *names), f"sessions = [{', '.join(names)}]"],
            visit=[
                f"message = {said(trial, 'hello')}",
                f"until = time.monotonic() + {_LEAST_S}",
                "while time.monotonic() < until:",
                "    store.append(sessions[number], [message])",
                "    said.append(time.monotonic())",
            ],
            wrong=[
                "quickest = max(map(len, said))",
                "times = min(said, key=len)",
                "if len(times) < quickest / 1000:",
                "    return f'one completed {len(times)} appends while another did {quickest}'",
            ],
            awaited=frozenset(trial.store.awaited),
        )
    )
