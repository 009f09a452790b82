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
    message = said(trial, "TEXT").replace("'TEXT'", "text")
    together = "    ready.wait(60)  # all come to each session together"
    visit = [
        "for at, session in enumerate(sessions):",
        *([together] if one.kind != "tasks" else []),
        "    for turn in range(3):",
        "        text, began = f'{number}.{turn}', time.monotonic()",
        "        with suppress(Exception):  # it may be refused",
        "            if number != at % CLIENTS:",
        f"                store.append(session, [{message}])",
        "                said.append((session, text, began, time.monotonic()))",
        "            elif turn == 1:",
        "                store.delete(session)",
        "                said.append((session, None, began, time.monotonic()))",
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
        "    deletions = [one for one in done if one[1] is None]",
        "    for _, text, began, ended in done if deletions else []:",
        "        if text and began > deletions[0][3] and text not in there:",
        "            return f'{text} was acknowledged after the deletion, and is not there'",
        "        if text and ended < deletions[0][2] and text in there:",
        "            return f'{text} was there before the deletion, and is there afterwards'",
        *(_REFUSES if refuses else []),
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
