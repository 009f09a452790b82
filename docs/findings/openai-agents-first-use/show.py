import asyncio, importlib.metadata, multiprocessing, tempfile
from agents.extensions.memory import SQLAlchemySession

def use(url):
    try:
        session = SQLAlchemySession.from_url("chat", url=url, create_tables=True)
        asyncio.run(session.add_items([{"role": "user", "content": "hello"}]))
        return "stored"
    except Exception as error:
        return str(error).splitlines()[0]

print("openai-agents", importlib.metadata.version("openai-agents"))
with multiprocessing.Pool(4) as pool:
    for _ in range(5):
        url = f"sqlite+aiosqlite:///{tempfile.mkdtemp()}/chat.db"
        print(pool.map(use, [url] * 4, chunksize=1))
