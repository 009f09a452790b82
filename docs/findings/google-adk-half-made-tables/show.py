import asyncio, importlib.metadata, os, tempfile
from google.adk.sessions import DatabaseSessionService, database_session_service as module

def use():
    service = DatabaseSessionService(f"sqlite+aiosqlite:///{folder}/adk.db")
    asyncio.run(service.create_session(app_name="app", user_id="user", session_id="chat"))
print("google-adk", importlib.metadata.version("google-adk"))
folder = tempfile.mkdtemp()
if not os.fork():  # a process that is killed when the tables are made, and their version is not
    module.select = lambda *_: os._exit(9)
    use()
try:
    os.wait(), use()
except Exception as error:
    print(f"{type(error).__name__}: {error}")
