"""Scripts of snapshots that are taken while threads write, and of searches beside them."""

from __future__ import annotations

import textwrap

from sessionproof.scripts.sweeps import Setting

_SECONDS, _ATTEMPTS = 6, 200
_LETTERS = "bcdfghjkmnpqrtvw"


def moment_lines(setting: Setting) -> list[str]:
    """Lines that fail while a snapshot is no beginning of its session, or lacks what was there."""
    return _attempts(
        f"""\
name = 's0'
session = {setting.made}
maker.append(session, [{_said(setting, "'the first'")}])
sent, ended = [], threading.Event()
def write(number):
    mine, count = open_store(location), 0
    ready.wait(60)
    while not ended.is_set() and count < 400:
        count += 1
        texts = [f'{{number}}, {{count}}, {{part}}' for part in range({_batch(setting)})]
        with suppress(Exception):  # others are at work
            mine.append(session, [{_said(setting, "text")} for text in texts])
            sent.extend(texts)
    mine.close()
taken = []
def keep(number):
    mine = open_store(location)
    ready.wait(60)
    for _ in range(8):
        time.sleep(0.003)
        before = [*sent]
        with suppress(Exception):
            taken.append((before, mine.snapshot(session)))
    ended.set()
    mine.close()
together(write, write, keep)
whole = [one.content for one in maker.read(session)]
for place, (before, snapshot) in enumerate(taken):
    restored = maker.restore_snapshot(snapshot, session_id=f'restored {{place}}')
    there = [one.content for one in maker.read(restored)]
    if there != whole[: len(there)]:
        broken.append(f'its {{len(there)}} messages are not those that the session began with')
    if any(text not in there for text in before):
        broken.append('messages are gone that were acknowledged before it was taken')
""",
        clients=3,
    )


def search_lines(setting: Setting) -> list[str]:
    """Lines that fail while a search misses what was acknowledged, or finds what was deleted."""
    return _attempts(
        f"""\
def word(number):
    return 'q' + ''.join({_LETTERS!r}[number >> shift & 15] for shift in (0, 4, 8, 12))
def work(number):
    mine = open_store(location)
    name = f's{{number}}'
    session = {setting.made.replace("maker", "mine")}
    ready.wait(60)
    for count in range(6):
        text = said = word(100 * number + count)
        try:
            mine.append(session, [{_said(setting, "text")}])
        except Exception:
            continue
        known.append(said)
        for text in known[-6:]:
            with suppress(OSError):
                hits = [one.message.content for one in mine.search(text)]
                if hits != [text]:
                    broken.append(f'a search for {{text}} found {{hits}}')
    mine.close()
known = []
together(work, work, work)
for text in known:
    hits = [one.message.content for one in maker.search(text)]
    if hits != [text]:
        broken.append(f'when all was quiet a search for {{text}} found {{hits}}')
""",
        clients=3,
    )


def _said(setting: Setting, text: str) -> str:
    return setting.message.replace("text", text)


def _batch(setting: Setting) -> int:
    return 2 if setting.batches else 1


def _attempts(body: str, *, clients: int) -> list[str]:
    """The body again and again, each time at an empty location."""
    text = f"""\
broken, tried, until = [], 0, time.monotonic() + {_SECONDS}
def together(*works):
    threads = [threading.Thread(target=one, args=(at,)) for at, one in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
while tried < {_ATTEMPTS} and not broken and time.monotonic() < until:
    tried += 1
    location = Location(Path(tempfile.mkdtemp()))
    maker, ready = open_store(location), threading.Barrier({clients})
{textwrap.indent(body, "    ")}
    maker.close()
assert not broken, f'in attempt {{tried}}: {{broken[0]}}'
"""
    return [line for line in text.split("\n") if line.strip()]
