import asyncio, importlib.metadata, sqlite3, tempfile
from agents.extensions.memory import AdvancedSQLiteSession

def connect(*given, connect=sqlite3.connect, **named):
    (db := connect(*given, **named)).set_progress_handler(lambda: steps.append(1), 1)
    return db
sqlite3.connect, steps = connect, []
print("openai-agents", importlib.metadata.version("openai-agents"))
for n in 100, 1_000, 10_000:
    file = f"{tempfile.mkdtemp()}/chat.db"
    session = AdvancedSQLiteSession(session_id="chat", db_path=file, create_tables=True)
    asyncio.run(session.add_items([{"role": "user", "content": "hello"}] * n))
    for call in session.add_items([{"role": "user", "content": "more"}]), session.get_items(10):
        steps.clear(), asyncio.run(call)
        print(f"{n:,} messages, {call.__name__}: {len(steps):,} steps of SQLite")
