import asyncio, importlib.metadata, os, tempfile
from agent_framework import FileHistoryProvider, Message

async def main():
    history = FileHistoryProvider(folder := tempfile.mkdtemp())
    for n in range(3):
        await history.save_messages("chat", [Message("user", [f"message {n}"])])
    (file,) = (f"{folder}/{name}" for name in os.listdir(folder))
    os.truncate(file, os.path.getsize(file) - 20)  # as a power cut may leave the last line
    for call in history.get_messages("chat"), history.save_messages("chat", [Message("user", ["4"])]):
        try:
            print(await call)
        except ValueError as error:
            print("ValueError:", str(error).replace(folder, "..."))
print("agent-framework-core", importlib.metadata.version("agent-framework-core"))
asyncio.run(main())
