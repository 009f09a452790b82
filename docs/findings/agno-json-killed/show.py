import importlib.metadata, os, tempfile
from agno.db.json import JsonDb
from agno.session import AgentSession

def save(text):
    db.upsert_session(AgentSession("chat", agent_id="bot", session_data={}))
    db.upsert_run({"run_id": text, "agent_id": "bot"}, "chat")
print("agno", importlib.metadata.version("agno"))
db = JsonDb(tempfile.mkdtemp())
save("a secret")
if not os.fork():  # a process that is killed while it deletes the chat
    JsonDb._delete_session_runs = lambda *_: os._exit(9)
    db.delete_session("chat")
os.wait(), print("after the deletion:", db.get_session("chat")), save("a new chat")
print("the new chat:", [run["run_id"] for run in db.get_session("chat", deserialize=False)["runs"]])
