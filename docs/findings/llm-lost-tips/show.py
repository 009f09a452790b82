import importlib.metadata, sqlite_utils, tempfile
from llm import Message
from llm.logs import LogStore
from llm.parts import TextPart

def says(text):
    return Message(role="user", parts=[TextPart(text=text)])
def while_another_appends():
    other.append("chat", [says("from the other")])
    yield says("from the one")
print("llm", importlib.metadata.version("llm"))
file = f"{tempfile.mkdtemp()}/logs.db"
one, other = (LogStore(sqlite_utils.Database(file)) for _ in range(2))
one.append(one.ensure_thread("chat"), while_another_appends())
read = [m.parts[0].text for m in one.thread_messages("chat")]
print(one.db["messages"].count, "stored, read:", read)
