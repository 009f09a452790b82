"""LangGraph's checkpoint savers on SQLite, with the messages of a graph's state as a chat."""
