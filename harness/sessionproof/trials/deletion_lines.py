"""The script of deletions that race with appends."""

from __future__ import annotations

from sessionproof.scripts.crowds import Crowd
from sessionproof.trials.crowds import script
from sessionproof.trials.lines import made, said
from sessionproof.trials.single import Trial
from sessionproof.workload.crews import Crew

_REFUSES = (
    "    if deletions and there:",
    "        return f'{session} is deleted, and has {there}'",
)
_LISTED = (
    "    if deletions and (session in listed) != bool(there):",
    "        return f'{session} has {there}, and is listed: {session in listed}'",
)


def deletion_script(trial: Trial, one: Crew, sessions: int) -> tuple[str, ...]:
    """Each session is deleted by one client while the others append to it."""
    names = [f"s{at}" for at in range(sessions)]
    audited = "tables" in trial.capabilities
    listed = "list" in trial.capabilities
    refuses = trial.claims.missing_session == "refuses"
    together = "    ready.wait(60)  # all come to each session together"
    visit = [
        f"message = {said(trial, 'TEXT')}".replace("'TEXT'", "f'{number}'"),
        "for at, session in enumerate(sessions):",
        *([together] if one.kind != "tasks" else []),
        "    with suppress(Exception):  # it may be refused",
        "        began = time.monotonic()",
        "        if number == at % CLIENTS:",
        "            store.delete(session)",
        "        else:",
        "            store.append(session, [message])",
        "        said.append((session, number, began, time.monotonic()))",
    ]
    wrong = [
        *(["problems = orphan_problems(store.tables())"] if audited else []),
        *(["if problems:", "    return problems[0]"] if audited else []),
        *(["listed = store.list()"] if listed else []),
        "for at, session in enumerate(sessions):",
        "    try:",
        "        there = [message.content for message in store.read(session)]",
        "    except NotFound:",
        "        there = []",
        "    done = [one for client in said for one in client if one[0] == session]",
        "    deletions = [one for one in done if one[1] == at % CLIENTS]",
        "    for _, number, began, ended in done if deletions else []:",
        "        if number == at % CLIENTS:",
        "            continue",
        "        if began > deletions[0][3] and str(number) not in there:",
        "            return f'acknowledged after the deletion of {session}, and not there'",
        "        if ended < deletions[0][2] and str(number) in there:",
        "            return f'there before the deletion of {session}, and there afterwards'",
        *(
            [
                "    if deletions and there:",
                "        return f'{session} is deleted, and has {there}'",
            ]
            if refuses
            else []
        ),
        *(_LISTED if listed else []),
    ]
    return script(
        Crowd(
            kind=one.kind,
            clients=one.clients,
            attempts=100,
            prepared=[*made(trial, *names), f"sessions = [{', '.join(names)}]"],
            visit=visit,
            wrong=wrong,
            awaited=frozenset(trial.store.awaited),
        )
    )
