import importlib.metadata, os, tempfile
from llama_index.core.llms import ChatMessage
from llama_index.core.storage.chat_store import SimpleChatStore

print(*(f"{name} {importlib.metadata.version(name)}" for name in ("llama-index-core", "pydantic")))
file = tempfile.mkdtemp() + "/chat.json"
with open(file, "w") as history:
    history.write('{"store": {"chat": [{"role": "user", "content": "hello"}]}}')
store = SimpleChatStore.from_persist_path(file)
print(len(store.get_messages("chat")), "message in", os.path.getsize(file), "bytes")
store.add_message("chat", ChatMessage(role="assistant", content="hi"))
try:
    store.persist(file)
except Exception as error:
    print(f"{type(error).__name__}: {error}")
print(os.path.getsize(file), "bytes")
