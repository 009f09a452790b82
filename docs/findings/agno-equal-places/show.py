import importlib.metadata, tempfile
from agno.db.sqlite import SqliteDb
from agno.run.agent import Message, RunOutput, RunStatus
from agno.session import AgentSession

print("agno", importlib.metadata.version("agno"))
db = SqliteDb(db_file=f"{tempfile.mkdtemp()}/agno.db")
db.upsert_session(AgentSession("chat", agent_id="bot", session_data={}))
both = [db.get_session("chat", session_type="agent") for _ in range(2)]  # two turns at once
for session, text in zip(both, ("told first", "a moment later")):  # as they end, one by one
    run = RunOutput(text[::-1], "bot", messages=[Message(role="user", content=text)])
    run.status = RunStatus.completed
    session.upsert_run(run)
    db.upsert_run(run, "chat", run_index=session.runs.index(run))  # as Agent.run does it
    print([one.content for one in db.get_session("chat", session_type="agent").get_messages()])
