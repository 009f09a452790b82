import importlib.metadata, os, tempfile, threading
os.environ.update(MEM0_DIR=tempfile.mkdtemp(), MEM0_TELEMETRY="False")
from mem0.memory.storage import SQLiteManager

def attempt():
    manager = SQLiteManager(f"{tempfile.mkdtemp()}/chat.db")
    manager.save_messages([{"role": "user", "content": "hello"}] * 10, "chat")
    threading.excepthook = lambda _: None  # an error in a reader is all right
    reads = lambda: [manager.get_last_messages("chat") for _ in range(100_000)]
    readers = [threading.Thread(target=reads) for _ in range(3)]
    [one.start() for one in readers], manager.close(), [one.join() for one in readers], os._exit(0)
print("mem0ai", importlib.metadata.version("mem0ai"), flush=True)
for n in range(50):
    if code := os.waitpid(os.fork() or attempt(), 0)[1]: break
print("close() while others read: the process is ended by signal", code)
