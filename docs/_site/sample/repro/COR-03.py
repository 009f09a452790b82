"""COR-03: A file that is empty, cut, foreign or no database gives a clear error, and is neither
changed nor replaced by an empty store.

expected: a clear error, and the file as it is
seen:     the file was changed; there was no error

It fails as long as the store does that, and says 'holds now' once it is mended:

    python sessionproof-report/repro/COR-03.py
"""

import base64
import lzma
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

sys.path[:0] = ['']  # the folder where it is started, as in the run
from adapter import Store as open_store
from sessionproof import Location, NotFound

location = Location(Path(tempfile.mkdtemp()))
files = {  # chat.db: emptied, compressed
    'chat.db': (
        ''
    ),
}
for name, data in files.items():
    content = lzma.decompress(base64.b85decode(data)) if data else b''
    location.root.joinpath(name).write_bytes(content)
before = location.root.joinpath('chat.db').read_bytes()
raised = None
try:
    store = open_store(location)
    try:
        with suppress(NotFound):  # that says nothing of the damage
            store.read('p1-s0')
        with suppress(NotFound):  # that says nothing of the damage
            store.read('p1-s1')
        with suppress(NotFound):  # that says nothing of the damage
            store.read('p1-s2')
        with suppress(NotFound):  # that says nothing of the damage
            store.read('p1-s3')
    finally:
        store.close()
except Exception as error:
    raised = error
path = location.root.joinpath('chat.db')
assert path.is_file(), 'the file is gone'
assert path.read_bytes() == before, 'the file was changed'
assert raised, 'chat.db: emptied, and no error'
confused = (AttributeError, TypeError, NameError, LookupError, AssertionError)
assert not isinstance(raised, confused), raised
print('holds now')
