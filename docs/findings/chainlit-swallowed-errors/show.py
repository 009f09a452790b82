import os, tempfile; os.environ["CHAINLIT_APP_ROOT"] = tempfile.mkdtemp()  # it writes there
import asyncio, importlib.metadata, sqlite3
from chainlit.data.sql_alchemy import SQLAlchemyDataLayer

print("chainlit", importlib.metadata.version("chainlit"))
file = f"{tempfile.mkdtemp()}/chat.db"
db = sqlite3.connect(file, isolation_level=None)
db.execute('CREATE TABLE threads (id PRIMARY KEY, "createdAt", metadata)')
db.execute('CREATE TABLE steps (id PRIMARY KEY, "threadId", type, output, metadata, generation)')
layer = SQLAlchemyDataLayer(f"sqlite+aiosqlite:///{file}", connect_args={"timeout": 1})
create_step = SQLAlchemyDataLayer.create_step.__wrapped__  # past the queue of a web page
db.execute("BEGIN IMMEDIATE")  # somebody else writes, for longer than the timeout
step = {"id": "1", "threadId": "chat", "type": "user_message", "output": "hello"}
print("create_step answered", asyncio.run(create_step(layer, step)))
db.execute("ROLLBACK")
print("steps:", db.execute("SELECT * FROM steps").fetchall())
