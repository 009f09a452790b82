import asyncio, importlib.metadata, time
from google.adk.events import Event
from google.adk.sessions import DatabaseSessionService
from google.genai.types import Content, Part
from tempfile import mkdtemp

async def main():
    service, now = DatabaseSessionService(f"sqlite+aiosqlite:///{mkdtemp()}/a"), time.time()
    session = await service.create_session(app_name="app", user_id="user", session_id="chat")
    for text in "12345":
        content = Content(role="user", parts=[Part(text=text)])
        await service.append_event(session, Event(author="user", content=content, timestamp=now))
    again = await service.get_session(app_name="app", user_id="user", session_id="chat")
    print("appended 12345, read", "".join(one.content.parts[0].text for one in again.events))
print("google-adk", importlib.metadata.version("google-adk"))
asyncio.run(main())
