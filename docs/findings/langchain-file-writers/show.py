import importlib.metadata, tempfile, threading
from langchain_community.chat_message_histories import FileChatMessageHistory

def write(name):
    for n in range(50):
        try:
            FileChatMessageHistory(file).add_user_message(f"{name}{n}")
            said.append(1)
        except ValueError as error:
            return print(name, "gave up:", error)
print("langchain-community", importlib.metadata.version("langchain-community"))
said, file = [], f"{tempfile.mkdtemp()}/chat.json"
writers = [threading.Thread(target=write, args=[name]) for name in "abcd"]
[one.start() for one in writers], [one.join() for one in writers]
print(len(said), "acknowledged; the file ends with", open(file).read()[-60:])
