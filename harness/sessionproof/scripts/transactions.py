"""Scripts of transactions over several sessions: clients at once, again and again, and a judge."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Literal

_SECONDS, _ATTEMPTS = 12, 400


@dataclass(frozen=True, kw_only=True)
class Transacting:
    """What the script needs to know.

    ``made`` is the expression that makes a session of the name ``name`` by ``maker``, ``message``
    that of a message of the text ``text``.
    """

    made: str
    message: str
    kind: Literal["threads", "shared", "tasks", "processes"]
    clients: int
    isolation: str


def transaction_lines(setting: Transacting) -> list[str]:
    """Lines that fail while some round of transactions is one that the isolation rules out."""
    forked = setting.kind == "processes"
    text = f"""\
{"forked = multiprocessing.get_context('fork')" if forked else ""}
{_JUDGE[setting.isolation]}
{_WRONG}
broken, tried, until = [], 0, time.monotonic() + {_SECONDS}
while tried < {_ATTEMPTS} and not broken and time.monotonic() < until:
    tried += 1
    location = Location(Path(tempfile.mkdtemp()))
    maker, sessions = open_store(location), []
    for name in ('a', 'b', 'c'):
        sessions.append({setting.made})
    {"maker.close()" if forked else ""}
    ready = {"forked" if forked else "threading"}.Barrier({setting.clients})
    answers = {"forked.SimpleQueue()" if forked else "queue.SimpleQueue()"}
{textwrap.indent(_work(setting), "    ")}
    clients = [{"forked.Process" if forked else "threading.Thread"}(target=work, args=(number,))
               for number in range({setting.clients})]
    for client in clients:
        client.start()
    done = [one for _ in clients for one in answers.get()]
    for client in clients:
        client.join()
    {"maker = open_store(location)" if forked else ""}
    last = {{name: [one.content for one in maker.read(name)] for name in sessions}}
    maker.close()
    said = wrong(done, last)
    broken += [said] if said else []
assert not broken, f'in attempt {{tried}}: {{broken[0]}}'
"""
    return [line for line in text.split("\n") if line.strip()]


def _work(setting: Transacting) -> str:
    """What each client does. A round with an outcome that nobody knows is not judged."""
    shared = setting.kind == "shared"
    return f"""\
def work(number):
    dice, done = random.Random(100 * tried + number), []
    mine = {"maker" if shared else "open_store(location)"}
    ready.wait(60)
    for turn in range(5):
        steps = []
        for place in range(dice.choice((2, 2, 3, 4))):
            text, name = f'{{number}}.{{turn}}.{{place}}', dice.choice(sessions)
            steps.append(Step(name, ({setting.message},) if dice.random() < 0.5 else None))
        began, said = time.monotonic_ns(), 'refused'
        for attempt in range(40):
            try:
                said = [step.messages is None and [one.content for one in answer]
                        for step, answer in zip(steps, mine.transact(steps))]
            except Conflict:
                time.sleep(attempt / 10_000)
                continue
            except Refused:
                pass
            except Exception:
                said = 'unknown'
            break
        asked = [(step.session_id, [one.content for one in step.messages or ()]) for step in steps]
        done.append((began, time.monotonic_ns(), asked, said))
    {"" if shared else "mine.close()"}
    answers.put(done)
"""


_WRONG = """\
def wrong(done, last):
    if any(said == 'unknown' for *_, said in done):
        return ''
    writer, own, edges = {}, {}, []
    for at, (_, _, asked, said) in enumerate(done):
        for name, texts in asked:
            own.setdefault((at, name), []).extend(texts)
            for text in texts:
                writer[text] = at
                if (text in last[name]) != (said != 'refused'):
                    return f'{text} of {name}: {said!r}, and when all was quiet {last[name]}'
    for name, texts in last.items():
        if len({*texts}) < len(texts) or not writer.keys() >= {*texts}:
            return f'twice, or of nobody, in {name}: {texts}'
        for one, other in zip(texts, texts[1:]):
            edges.append((writer[one], writer[other], 'ww'))
    for at, (_, _, asked, said) in enumerate(done):
        mine = {}
        for (name, texts), answer in zip(asked, said if said != 'refused' else ()):
            if answer is False:
                mine[name] = mine.get(name, []) + texts
                continue
            others = answer[:len(answer) - len(mine.get(name, []))]
            if others + mine.get(name, []) != answer:
                return f'{name} was read as {answer}, when the same call had appended {mine[name]}'
            if others != last[name][:len(others)]:
                return f'{name} was read as {answer}, when all was quiet it is {last[name]}'
            if others and own[writer[others[-1]], name][-1] != others[-1]:
                return f'{name} was read as {answer}, in the middle of a transaction'
            if others:
                edges.append((writer[others[-1]], at, 'wr'))
            if len(others) < len(last[name]):
                edges.append((at, writer[last[name][len(others)]], 'rw'))
    edges = {(one, other, kind) for one, other, kind in edges if one != other}
    reach = led_to(edges, done)
    grown = True
    while grown:
        grown = False
        for one, others in reach.items():
            more = {far for other in others for far in reach.get(other, ())} - others
            others |= more
            grown = grown or bool(more)
    for one, others in reach.items():
        if one in others:
            circle = [at for at in sorted(others) if one in reach.get(at, ())]
            return f'each comes before itself: {[done[at][2:] for at in circle[:3]]}'
    return ''
"""

_PLAIN = """\
def led_to(edges, done):
    reach = {}
    for one, other, _ in edges:
        reach.setdefault(one, set()).add(other)
"""
_JUDGE = {
    "snapshot": """\
def led_to(edges, done):
    reach = {}
    for one, other, kind in edges:
        if kind != 'rw':
            further = {far for near, far, missed in edges if near == other and missed == 'rw'}
            reach.setdefault(one, set()).update({other}, further)
    return reach
""",
    "serializable": f"{_PLAIN}    return reach\n",
    "strict-serializable": f"""\
{_PLAIN}
    there = [at for at, one in enumerate(done) if one[3] != 'refused']
    for one in there:
        later = {{other for other in there if done[one][1] < done[other][0]}}
        reach.setdefault(one, set()).update(later)
    return reach
""",
}
