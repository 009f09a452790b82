import asyncio, importlib.metadata, tempfile
from agent_framework import FileHistoryProvider, Message

async def main():
    history = FileHistoryProvider(tempfile.mkdtemp())
    for question, answer in (("Which?", "Blue."), ("yes", "Done."), ("yes", "Done.")):
        turn = [Message("user", [question]), Message("assistant", [answer])]
        await history.save_messages("chat", turn)
    print("three turns:", [one.text for one in await history.get_messages("chat")])
print("agent-framework-core", importlib.metadata.version("agent-framework-core"))
asyncio.run(main())
