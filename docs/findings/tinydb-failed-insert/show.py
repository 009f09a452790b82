import importlib.metadata, resource, tempfile
from tinydb import TinyDB

print("tinydb", importlib.metadata.version("tinydb"), flush=True)
db = TinyDB(file := f"{tempfile.mkdtemp()}/chat.json")
db.insert({"text": "first"})
resource.setrlimit(resource.RLIMIT_FSIZE, (60, -1))  # as on a full disk
try:
    db.insert({"text": "second, for which there is no space"})
except OSError as error:
    failed = error.strerror
resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))  # there is space again
print("OSError:", failed, "- in the file:", open(file).read())
db.insert({"text": "third"})
print("after the next insert:", [one["text"] for one in db])
