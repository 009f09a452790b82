"""Sessions as files: JSON Lines, chats of OpenAI's API, CSV; and out of other libraries' files."""
