import asyncio, importlib.metadata, os, tempfile
from agent_framework import FileHistoryProvider, Message

async def main():
    history = FileHistoryProvider(folder := tempfile.mkdtemp())
    for n in range(3):
        await history.save_messages("chat", [Message("user", [f"message {n}"])])
    file, more = f"{folder}/{os.listdir(folder)[0]}", [Message("user", ["one more"])]
    os.truncate(file, os.path.getsize(file) - 20)  # as a power cut may leave the last line
    for call in history.get_messages("chat"), history.save_messages("chat", more):
        try:
            print(await call)
        except ValueError as error:
            print("ValueError:", str(error).replace(folder, "..."))
print("agent-framework-core", importlib.metadata.version("agent-framework-core"))
asyncio.run(main())
