"""Scripts that kill a server of their own, or cut its connections, and look for what is left."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from sessionproof.contract.claims import Claims
from sessionproof.contract.message import Message
from sessionproof.contract.operations import message_call
from sessionproof.scripts.clients import START
from sessionproof.scripts.expressions import Unwritable
from sessionproof.workload.texts import said

_ATTEMPTS = 12
_APPENDS = 60  # in an attempt with cuts
_SECONDS = 0.25  # of appends in an attempt with a kill


def server_script(
    sample: Message,
    claims: Claims,
    *,
    kind: str,
    made: Sequence[str],
    awaited: Collection[str],
) -> list[str]:
    """Lines that fail while the store tells something else than what became of its appends.

    ``kind`` is ``kills`` or ``cuts``; ``made`` are lines that make the session ``s0`` with an open
    ``store``. They start a server with the programs of PostgreSQL that they find. Raises Unwritable
    for stores of which a script cannot tell.
    """
    if sample.kind == "tool_call" or claims.limits.retention is not None or awaited:
        raise Unwritable("what is kept cannot be told by a few lines")
    message = message_call(said(sample, "TEXT", at_us=sample.created_at_us))
    sent = [message.replace(repr("TEXT"), text) for text in ("text", "f'{text}+'")]
    pairs = claims.atomic_batches and claims.limits.batch_bytes is None
    append = f"store.append(s0, [{', '.join(sent if pairs else sent[:1])}])"
    kills = kind == "kills"
    return [
        *_SERVER.splitlines(),
        "",
        *_appending(append),
        "",
        *(() if kills else (*_PROXY.splitlines(), "")),
        START,
        "    near = next(one for one in ('/dev/shm', '/tmp') if os.path.isdir(one))",
        "    folder = tempfile.mkdtemp(prefix='pg-', dir=near)  # a short path",
        "    os.chmod(folder, 0o755)",
        "    make(folder)",
        "    server = start(folder)",
        *(() if kills else ("    through = proxy(folder)",)),
        "    try:",
        f"        for attempt in range({_ATTEMPTS}):  # not every moment shows it",
        "            location = Location(Path(tempfile.mkdtemp()))",
        *_lines(3, _opening("folder" if kills else "through")),
        "            s0 = f's{attempt}'",
        *_lines(3, made),
        *_lines(3, _kills() if kills else _cuts()),
        *_lines(3, _HALVES if pairs else ()),
        "            assert not lost, f'acknowledged, and not there: {lost}'",
        "            assert not wrong, f'refused, and there: {wrong}'",
        "            assert not twice, f'there more than once: {twice}'",
        "            assert went_on, 'the handle does not go on'",
        "    finally:",
        "        server.send_signal(signal.SIGQUIT)  # a killed one leaves memory that it shared",
        "        server.wait()",
        "        shutil.rmtree(folder, ignore_errors=True)",
        *(() if kills else ("        shutil.rmtree(through, ignore_errors=True)",)),
    ]


def _opening(folder: str) -> Iterator[str]:
    yield "while True:  # until the server is ready"
    yield "    try:"
    yield f"        store = open_store.for_server(url({folder}))(location)"
    yield "        break"
    yield "    except Refused:"
    yield "        time.sleep(0.1)"


def _kills() -> Iterator[str]:
    yield "ended = threading.Event()"
    yield "client = threading.Thread(target=work, args=(store, s0, ended))"
    yield "told.clear()"
    yield "client.start()"
    yield f"time.sleep({_SECONDS} + 0.02 * (attempt % 5))"
    yield "kill(server)"
    yield "server = start(folder)"
    yield f"time.sleep({_SECONDS})"
    yield "ended.set()"
    yield "client.join()"
    yield from _looks("folder")


def _cuts() -> Iterator[str]:
    yield "told.clear()"
    yield f"cut.extend(['answer', 'request'][attempt % 2] for _ in range({_APPENDS // 6}))"
    yield f"for n in range({_APPENDS}):"
    yield "    tell(store, s0, f'{n}.')"
    yield "cut.clear()"
    yield from _looks("through")


def _looks(folder: str) -> Iterator[str]:
    yield "went_on = any(tell(store, s0, f'after {n}.') or time.sleep(0.2) for n in range(25))"
    yield f"fresh = open_store.for_server(url({folder}))(location)"
    yield "texts = [message.content for message in fresh.read(s0)]"
    yield "fresh.close()"
    yield "store.close()"
    yield "lost = [text for text, how in told.items() if how == 'ok' and text not in texts]"
    yield "wrong = [text for text, how in told.items() if how == 'refused' and text in texts]"
    yield "twice = [text for text in told if texts.count(text) > 1]"


def _appending(append: str) -> list[str]:
    return [
        "told = {}  # what became of each text: ok, refused, open",
        "",
        "def tell(store, s0, text):",
        "    told[text] = 'open'",
        "    try:",
        f"        {append}",
        "        told[text] = 'ok'",
        "    except Refused:",
        "        told[text] = 'refused'",
        "    except Exception:",
        "        pass",
        "    return told[text] == 'ok'",
        "",
        "def work(store, s0, ended):",
        "    n = 0",
        "    while not ended.is_set():",
        "        n += 1",
        "        tell(store, s0, f'{n}.')",
    ]


_HALVES = (
    "half = [text for text in told if texts.count(text) != texts.count(f'{text}+')]",
    "assert not half, f'half a batch is there: {half}'",
)
_SERVER = """\
found = shutil.which('initdb') or max(glob.glob('/usr/lib/postgresql/*/bin/initdb'))
initdb = Path(found).resolve()
who = {}
if os.geteuid() == 0:  # a server refuses to run as root
    whom = pwd.getpwnam('postgres')
    who = {'user': whom.pw_uid, 'group': whom.pw_gid, 'extra_groups': []}

def url(folder):
    return f'postgresql:///postgres?host={folder}&user=sessionproof'

def make(folder):
    if who:
        os.chown(folder, who['user'], who['group'])
    command = [initdb, '-D', f'{folder}/data', '-U', 'sessionproof', '-A', 'trust', '-N']
    subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=True, **who)

def start(folder):
    socket_file = Path(f'{folder}/.s.PGSQL.5432')
    socket_file.unlink(missing_ok=True)
    options = ['-k', folder, '-c', 'listen_addresses=']
    command = [initdb.with_name('postgres'), '-D', f'{folder}/data', *options]
    while True:
        with open(f'{folder}/log', 'a') as log:
            server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, **who)
        while server.poll() is None and not socket_file.exists():
            time.sleep(0.02)
        if server.poll() is None:
            return server
        time.sleep(0.1)  # the last of its predecessor has not ended yet

def kill(server):
    server.send_signal(signal.SIGSTOP)
    asked = subprocess.run(['ps', '-o', 'pid=', '--ppid', str(server.pid)], capture_output=True)
    for child in asked.stdout.split():
        with suppress(ProcessLookupError):
            os.kill(int(child), signal.SIGKILL)
    server.kill()
    server.wait()
"""

_PROXY = """\
cut = []  # what is to become of the next changes: 'request' or 'answer'
CHANGES = (b'INSERT', b'UPDATE', b'DELETE', b'COMMIT')

def carry(one, other, what):
    try:
        while data := one.recv(65536):
            if cut and cut[-1] == what and any(word in data for word in CHANGES):
                if random.random() < 0.4:
                    cut.pop()
                    break
            other.sendall(data)
    except OSError:
        pass
    for end in (one, other):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)

def accept(listener, folder):
    while True:
        client, _ = listener.accept()
        server = socket.socket(socket.AF_UNIX)
        server.connect(f'{folder}/.s.PGSQL.5432')
        for pair in ((client, server, 'request'), (server, client, 'answer')):
            threading.Thread(target=carry, args=pair, daemon=True).start()

def proxy(folder):
    through = tempfile.mkdtemp(prefix='cut-', dir='/tmp')
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f'{through}/.s.PGSQL.5432')
    listener.listen(16)
    threading.Thread(target=accept, args=(listener, folder), daemon=True).start()
    return through
"""


def _lines(depth: int, lines: Sequence[str] | Iterator[str]) -> list[str]:
    return [f"{'    ' * depth}{line}" for line in lines]
