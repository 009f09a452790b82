"""Scripts of backups and restores: what was saved, what was done to it, and what is there then.

The lines use an open ``store``; ``made`` is the path of a backup, ``image`` a directory with the
store's data as a crash leaves it, ``before`` and ``saved`` are the texts of two sessions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sessionproof.scripts.blocks import indented

ELSEWHERE = "other = open_store(Location(Path(tempfile.mkdtemp())))"
"""Opens a store elsewhere, which lends its code for restores."""


def texts(into: str) -> list[str]:
    """Lines that read the texts of both sessions into a variable; the second may be unknown."""
    return [
        f"{into} = [one.content for one in store.read(s0)]",
        "with suppress(NotFound):",
        f"    {into} += [one.content for one in store.read(s1)]",
    ]


def saved(made: Sequence[str], message: str, newer: str, *, logged: bool) -> list[str]:
    """A store with a backup and newer messages, closed, and an image of its directory.

    ``made`` are lines that make ``s0`` and ``s1``; ``logged``: the image is taken while it is open.
    """
    image = ["image = Path(tempfile.mkdtemp(), 'chats')", "shutil.copytree(directory, image)"]
    return [
        *made,
        f"for _ in range(4):\n    store.append(s0, [{message}])",
        "folder = tempfile.mkdtemp()",
        *texts("saved"),
        *owed("made = store.backup(folder)"),
        f"for session in (s0, s0, s1):\n    store.append(session, [{newer}])",
        *texts("before"),
        *(image if logged else []),
        "store.close()",
        *([] if logged else image),
    ]


def owed(*lines: str) -> list[str]:
    """Lines in which no error is right."""
    return [
        "try:",
        *(f"    {line}" for line in lines),
        "except Exception as error:",
        "    raise AssertionError(f'{type(error).__name__}: {error}') from error",
    ]


def restored(made: str, directory: str, *, may_refuse: bool = False) -> list[str]:
    """A restore; ``kept`` is what it answers, and both are expressions of paths."""
    call = f"kept = other.restore(str({made}), str({directory}))"
    if not may_refuse:
        return [ELSEWHERE, *owed(call), "other.close()"]
    return [
        ELSEWHERE,
        "kept, refused = None, False",
        "try:",
        f"    {call}",
        "except Exception as error:",
        "    refused = True",
        "    print(type(error).__name__, error)",
        "other.close()",
    ]


def read_at(directory: str) -> list[str]:
    """The store opened in another directory, its sessions read into ``seen``; it stays open."""
    return owed(f"store = open_store(Location(Path({directory})))", *texts("seen"))


def each_file(path: str, line: str) -> list[str]:
    """The line for each file of a backup: ``file`` is its path, ``data`` its bytes."""
    return [
        f"files = [Path({path}), *Path({path}).rglob('*')]",
        "for file in files:",
        "    if file.is_file():",
        "        data = file.read_bytes()",
        f"        {line}",
    ]


def under_load_lines(
    made: Sequence[str], message: str, *, clients: int, processes: bool, shared: bool
) -> list[str]:
    """Clients that append while backups are made; each is restored and has what it owes.

    ``message`` is an expression with ``TEXT`` in the place of its text.
    """
    return [
        *made,
        "folder, stop = tempfile.mkdtemp(), Path(tempfile.mkdtemp(), 'stop')",
        "acknowledged = Path(tempfile.mkdtemp())",
        "def work(client):",
        "    said = acknowledged.joinpath(str(client)).open('a', buffering=1)",
        "    place = store" if shared else "    place = open_store(location)",
        "    for n in range(100_000):",
        "        if stop.exists():",
        "            break",
        "        text = f'client {client}: {n}'",
        f"        place.append(s0, [{message.replace(repr('TEXT'), 'text')}])",
        "        said.write(f'{text}\\n')",
        *([] if shared else ["    place.close()"]),
        *(_forks(clients) if processes else _threads(clients)),
        "try:",
        *indented(_attempts()),
        "finally:",
        "    stop.touch()",
        *indented(_ended(processes=processes)),
    ]


def _threads(clients: int) -> Iterator[str]:
    yield f"clients = [threading.Thread(target=work, args=(n,)) for n in range({clients})]"
    yield "for one in clients:"
    yield "    one.start()"


def _forks(clients: int) -> Iterator[str]:
    yield "store.close()"
    yield "clients = []"
    yield f"for client in range({clients}):"
    yield "    child = os.fork()"
    yield "    if child == 0:"
    yield "        try:"
    yield "            work(client)"
    yield "        finally:"
    yield "            os._exit(0)"
    yield "    clients.append(child)"
    yield "store = open_store(location)"


def _ended(*, processes: bool) -> list[str]:
    wait = "os.waitpid(one, 0)" if processes else "one.join()"
    return ["for one in clients:", f"    {wait}"]


def _attempts() -> list[str]:
    return [
        "until = time.monotonic() + 10",
        "while time.monotonic() < until:  # not every moment shows it",
        "    time.sleep(0.01)",
        "    known = [one.read_text().splitlines(True) for one in acknowledged.iterdir()]",
        "    said = {line[:-1] for lines in known for line in lines if line.endswith('\\n')}",
        "    there = Location(Path(tempfile.mkdtemp()))",
        *indented(
            owed(
                "made = store.backup(folder)",
                "store.restore(made, str(there.root))",
                "other = open_store(there)",
                "there = {one.content for one in other.read(s0)}",
            )
        ),
        "    other.close()",
        "    lost = said - there",
        "    assert not lost, f'acknowledged before, and not in the backup: {sorted(lost)[:3]}'",
        "    if len(said) > 2_000:",
        "        break",
    ]
