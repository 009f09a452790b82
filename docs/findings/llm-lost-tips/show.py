import importlib.metadata, multiprocessing, sqlite_utils, tempfile
from llm import Message
from llm.logs import LogStore
from llm.parts import TextPart

def write(file, name):
    log = LogStore(sqlite_utils.Database(file))
    for n in range(50):
        log.append("chat", [Message(role="user", parts=[TextPart(text=f"{name}{n}")])])

print("llm", importlib.metadata.version("llm"))
log = LogStore(sqlite_utils.Database(file := f"{tempfile.mkdtemp()}/logs.db"))
log.ensure_thread("chat")
writers = [multiprocessing.Process(target=write, args=(file, name)) for name in "ab"]
[one.start() for one in writers], [one.join() for one in writers]
print(log.db["messages"].count, "stored,", len(log.thread_messages("chat")), "read")
