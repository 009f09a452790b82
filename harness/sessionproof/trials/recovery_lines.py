"""Scripts of recoveries: the damaged files, what is saved of them, and what must hold of that."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

from sessionproof.contract.anomalies import Anomaly
from sessionproof.faults.damage.files import Image
from sessionproof.scripts.backups import ELSEWHERE, owed
from sessionproof.scripts.carried import carried
from sessionproof.scripts.expressions import Unwritable, expression
from sessionproof.scripts.program import CLOSE, with_awaits
from sessionproof.trials.recovered import Placed

_TEXT_MOST = 90_000  # characters of a script that carries files: a log is many pages


@dataclass(frozen=True, kw_only=True)
class Spoilt:
    """Damaged files; ``words`` say how. ``before`` is what the store had in the sessions ``ids``.

    ``there`` are the tokens of the messages, ``names`` the ids that can be read in them.
    """

    image: Image
    words: str
    before: Sequence[Placed]
    ids: Sequence[str]
    there: Collection[str]
    names: Collection[str]
    capabilities: Collection[str]
    checksums: bool


def recovery_script(spoilt: Spoilt, anomaly: Anomaly, awaited: Collection[str]) -> tuple[str, ...]:
    """Fails as long as the recovery of these files does that; raises Unwritable.

    ``awaited`` are the methods that answer awaitables.
    """
    lines = [
        *carried(spoilt.image.folders, spoilt.image.files, spoilt.words),
        "paths = [location.root / name for name in files]",
        "was = [path.read_bytes() for path in paths]",
        "saved = Path(tempfile.mkdtemp())",
        ELSEWHERE,
        *_asked(anomaly),
        "other.close()",
        *_wrong(spoilt, anomaly),
    ]
    text = with_awaits("\n".join(lines), awaited)
    if len(text) > _TEXT_MOST:
        raise Unwritable(f"with the damaged files it has {len(text):,} characters")
    return tuple(text.split("\n"))


def _asked(anomaly: Anomaly) -> list[str]:
    """The recovery; where the damaged files may not change, it may also refuse."""
    call = "told = other.recover(str(location.root), str(saved))"
    if anomaly is not Anomaly.OVERWRITTEN:
        return owed(call)
    return ["with suppress(Exception):", f"    {call}"]


def _wrong(spoilt: Spoilt, anomaly: Anomaly) -> Iterator[str]:
    if anomaly is Anomaly.OVERWRITTEN:
        yield "for path, data in zip(paths, was):"
        yield "    if not path.name.endswith('-shm'):  # which says nothing"
        yield "        now = path.read_bytes() if path.exists() else None"
        yield "        assert now == data, f'{path.name} was changed'"
        return
    listed = "list" in spoilt.capabilities
    names = "store.list()" if listed else expression([*spoilt.ids])
    yield from owed(
        "store = open_store(Location(saved))",
        "read = {}",
        f"for name in {names}:",
        "    with suppress(NotFound):",
        "        read[name] = store.read(name)",
    )
    yield "messages = [one for each in read.values() for one in each]"
    yield r"found = [re.findall(r'mark\d{4}word\d{4}', str(one)) for one in messages]"
    yield "tokens = [each[0] if each else '' for each in found]"
    yield from _ASSERTIONS.get(anomaly, _opens)(spoilt)
    yield CLOSE


def _saved(spoilt: Spoilt) -> Iterator[str]:
    yield f"there = {' '.join(sorted(spoilt.there))!r}.split()  # in one piece in the files"
    yield "missing = sorted(set(there) - set(tokens))"
    yield "assert not missing, f'{len(missing)} not saved: {missing[:5]}'"


def _invented(spoilt: Spoilt) -> Iterator[str]:
    """By checksums of the texts, as some are long; without checksums a text may have changed."""
    texts = [str(one.message.content) for one in spoilt.before]
    known = " ".join(str(crc32(text.encode())) for text in texts)
    yield f"appended = set(map(int, {known!r}.split()))  # checksums of the texts"
    yield "texts = [str(one.content) for one in messages]"
    yield "others = [text for text in texts if zlib.crc32(text.encode()) not in appended]"
    lost = "0" if spoilt.checksums else f"{len(texts)} - len(texts) + len(others)"
    yield f"assert len(others) <= {lost}, others[0][:80]"


def _not_deleted(spoilt: Spoilt) -> Iterator[str]:
    kept = sorted(one.token for one in spoilt.before)
    yield f"kept = {' '.join(kept)!r}.split()"
    yield "back = [token for token in tokens if token and token not in kept]"
    yield "assert not back, f'deleted, and back: {back[:5]}'"


def _once(_spoilt: Spoilt) -> Iterator[str]:
    yield "assert len(tokens) == len(set(tokens)), 'a message is read twice'"


def _homes(spoilt: Spoilt) -> Iterator[str]:
    names = expression(set(spoilt.names)) if spoilt.names else "set()"
    yield "homes = {"
    for name in spoilt.ids:
        tokens = " ".join(one.token for one in spoilt.before if one.session == name)
        yield f"    {expression(name)}: {tokens!r}.split(),"
    yield "}"
    yield r"first = lambda one: [*re.findall(r'mark\d{4}word\d{4}', str(one)), ''][0]"
    yield "for name, each in read.items():"
    yield "    own = [(home, token) for home, there in homes.items() for token in there]"
    yield "    own = [one for one in own if one[1] in map(first, each)]"
    yield "    assert len({home for home, _ in own}) <= 1, f'{name} has messages of others'"
    yield f"    named = name in homes or not {{home for home, _ in own}} & {names}"
    yield "    assert named, f'{name} has messages of a session that lost its name'"
    yield "    assert name not in homes or all(home == name for home, _ in own), name"
    yield "    order = [first(one) for one in each if first(one) in [token for _, token in own]]"
    yield "    assert order == [token for _, token in own], f'{name} is in another order'"


def _counted(_spoilt: Spoilt) -> Iterator[str]:
    yield "assert told.messages == len(messages), f'{told.messages} for {len(messages)}'"
    yield "filled = len([1 for each in read.values() if each])"
    yield "assert filled <= told.sessions <= len(read), f'{told.sessions} for {len(read)}'"


def _said(spoilt: Spoilt) -> Iterator[str]:
    number = len(spoilt.before)
    yield f"assert told.lost or len(set(tokens)) >= {number}, 'lost, and nothing was said'"


def _in_order(spoilt: Spoilt) -> Iterator[str]:
    if "verify" in spoilt.capabilities:
        yield "assert not store.verify().problems, store.verify().problems"
    yield "for name, each in read.items():"
    if "count" in spoilt.capabilities:
        yield "    assert store.count(name) == len(each), f'{name}: {store.count(name)}'"
    message = spoilt.before[0].message
    yield "    if each:"
    yield from (
        f"        {line}"
        for line in owed(f"store.append(name, [{expression(message)}])", "after = store.read(name)")
    )
    yield "        assert len(after) == len(each) + 1, f'{name}: {len(after)}'"


def _opens(_spoilt: Spoilt) -> Iterator[str]:
    """That it can be read was seen before."""
    yield from ()


_ASSERTIONS: Mapping[Anomaly, Callable[[Spoilt], Iterator[str]]] = {
    Anomaly.UNSAVED: _saved,
    Anomaly.PHANTOM: _invented,
    Anomaly.CHANGED: _invented,
    Anomaly.RESURRECTION: _not_deleted,
    Anomaly.DUPLICATE: _once,
    Anomaly.LEAK: _homes,
    Anomaly.LOST_SESSION: _homes,
    Anomaly.REORDER: _homes,
    Anomaly.WRONG_ANSWER: _counted,
    Anomaly.UNNOTICED: _said,
    Anomaly.COUNTER_DRIFT: _in_order,
    Anomaly.STUCK: _in_order,
    Anomaly.LOST_MESSAGE: _in_order,
}
