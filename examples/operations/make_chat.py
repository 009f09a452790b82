"""Write chat.db: a chat database as a small program of some years ago would have left it.

39 sessions with 1,170 messages, seven messages that belong to none, and counters that have drifted.
``docs/operations.md`` goes through all that can be done with it.
"""

import sqlite3
import sys
from importlib.resources import files

SESSIONS, MESSAGES = 40, 30
TEXT = "The order was sent on Monday and should be there by now, but nobody answers the door. " * 3


def main(path: str) -> None:
    """Make the file, with foreign keys off, as they are unless a program asks for them."""
    schema = files("sessionproof").joinpath("legacy", "plain.sql").read_text("utf-8")
    with sqlite3.connect(path) as chat:
        chat.executescript(schema)
        for session in range(SESSIONS):
            day = f"2024-{1 + session % 12:02d}-{1 + session % 28:02d}"
            rows = [
                (f"m{session}-{n}", f"chat-{session}", ("user", "assistant")[n % 2],
                 f"{session}, {n}: {TEXT[n:]}", f"{day} 10:{n:02d}:00", 40 + n)
                for n in range(MESSAGES)
            ]  # fmt: skip
            chat.execute(
                "INSERT INTO sessions (session_id, title, created_at, updated_at, message_count,"
                " total_tokens) VALUES (?, ?, ?, ?, ?, ?)",
                (f"chat-{session}", f"Order {session}", rows[0][4], rows[-1][4], len(rows),
                 sum(row[5] for row in rows)),
            )  # fmt: skip
            chat.executemany(
                "INSERT INTO messages (message_id, session_id, role, content, timestamp,"
                " tokens_used) VALUES (?, ?, ?, ?, ?, ?)",
                rows,
            )
        # A session was removed, and seven of its messages were forgotten.
        chat.execute("DELETE FROM sessions WHERE session_id = 'chat-7'")
        chat.execute("DELETE FROM messages WHERE session_id = 'chat-7' AND tokens_used > 46")
        # Two processes counted at the same time; an edit forgot the total.
        chat.execute("UPDATE sessions SET message_count = 28 WHERE session_id = 'chat-3'")
        chat.execute("UPDATE sessions SET total_tokens = total_tokens + 25 WHERE title GLOB '*5'")
    chat.close()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "chat.db")
