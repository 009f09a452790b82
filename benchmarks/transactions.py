"""How fast histories of transactions are judged: ``python benchmarks/transactions.py [NUMBER]``.

A simulated strict-serializable store is asked by eight clients; transactions have one to four steps
on sessions that rotate, so that each comes to some hundred messages. The same history is judged
right, and with one stale read in it.
"""

from __future__ import annotations

import resource
import sys
from dataclasses import replace
from time import process_time

from sessionproof.checks.transactions import Isolation, judge_transactions
from sessionproof.contract.seed import generator
from sessionproof.history.transactions import Step, Transaction

_CLIENTS, _LENGTH, _OPEN = 8, 120, 3


def simulated(number: int, seed: int = 0) -> list[Transaction]:
    """So many transactions, each at one moment of its time; last a read of each session."""
    random = generator(seed, "transactions")
    state: dict[str, tuple[int, ...]] = {}
    free = [0] * _CLIENTS
    made, ids, names = [], 0, 0
    sessions = [f"s{at}" for at in range(_OPEN)]
    names = len(sessions)
    for at in range(number):
        client = min(range(_CLIENTS), key=free.__getitem__)
        moment = 100 * (at + 1)
        steps = []
        for name in random.choices(sessions, k=random.randrange(1, 5)):
            if random.random() < 0.4:
                ids += 1
                state[name] = (*state.get(name, ()), ids)
                steps.append(Step("append", name, (ids,)))
            else:
                steps.append(Step("read", name, state.get(name, ())))
        inv = max(free[client] + 1, moment - random.randrange(300))
        free[client] = moment + random.randrange(1, 300)
        made.append(Transaction(client, inv, free[client], "ok", tuple(steps)))
        for place, name in enumerate(sessions):
            if len(state.get(name, ())) >= _LENGTH:
                sessions[place] = f"s{names}"
                names += 1
    end = max(free) + 1
    for at, (name, ids_of) in enumerate(state.items()):
        step = Step("read", name, ids_of)
        made.append(
            Transaction(_CLIENTS + at, end + 2 * at, end + 2 * at + 1, "ok", (step,), final=True)
        )
    return made


def with_a_stale_read(made: list[Transaction]) -> list[Transaction]:
    """One transaction in the middle, of one read, answers the half of what is there."""
    for at in range(len(made) // 2, len(made)):
        one = made[at]
        ids = one.steps[0].ids or ()
        if len(one.steps) == 1 and one.steps[0].f == "read" and len(ids) > 20:
            step = replace(one.steps[0], ids=ids[: len(ids) // 2])
            return [*made[:at], replace(one, steps=(step,)), *made[at + 1 :]]
    raise ValueError("no read is long enough: ask for more transactions")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Print a line for each isolation and each history: seconds are of processor time."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    right = simulated(number)
    wrong = with_a_stale_read(right)
    read = sum(len(step.ids or ()) for one in right for step in one.steps if step.f == "read")
    _say(f"{len(right):,} transactions, {read:,} messages read")
    levels: tuple[Isolation, ...] = ("snapshot", "serializable", "strict-serializable")
    for isolation in levels:
        for said, history in (("right", right), ("one stale read", wrong)):
            begun_s = process_time()
            found = judge_transactions(history, isolation)
            took_s = process_time() - begun_s
            names = ", ".join(f"{one.anomaly} of {len(one.members)}" for one in found) or "nothing"
            rate = len(history) / took_s
            _say(f"{isolation:20} {said:15} {took_s:6.2f} s {rate:9,.0f}/s  {names}")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    _say(f"peak memory {peak_mb:,.0f} MiB, histories included")


if __name__ == "__main__":
    main()
