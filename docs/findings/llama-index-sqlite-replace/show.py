import importlib.metadata, tempfile
from llama_index.core.llms import ChatMessage
from llama_index.storage.chat_store.sqlite import SQLiteChatStore

name = "llama-index-storage-chat-store-sqlite"
print(name, importlib.metadata.version(name))
store = SQLiteChatStore.from_uri(f"sqlite:///{tempfile.mkdtemp()}/chat.db")
store.set_messages("chat", [ChatMessage(content="old")])
store.set_messages("chat", [ChatMessage(content="new")])
print("after two set_messages:", [one.content for one in store.get_messages("chat")])
store.add_message("other", ChatMessage(content="first of another chat"))
print("delete_message('other', 0):", store.delete_message("other", 0))
print("other:", [one.content for one in store.get_messages("other")])
