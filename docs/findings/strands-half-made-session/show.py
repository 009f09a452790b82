import importlib.metadata, os, tempfile
from strands.session.file_session_manager import FileSessionManager

print("strands-agents", importlib.metadata.version("strands-agents"))
folder = tempfile.mkdtemp()
if not os.fork():  # a process that is killed while it makes the session
    FileSessionManager._write_file = lambda *_: os._exit(9)
    FileSessionManager("chat", storage_dir=folder)
os.wait()
print("what is there:", os.listdir(f"{folder}/session_chat"))
for _ in range(2):
    try:
        FileSessionManager("chat", storage_dir=folder)
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
