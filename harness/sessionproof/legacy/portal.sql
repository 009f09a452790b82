-- Legacy: the portal's tables, as its object mapper made them. The mapper never switches foreign
-- keys on, so no cascade works; enumerations stand in comments alone.

CREATE TABLE users (
    email        VARCHAR(255) NOT NULL,
    display_name VARCHAR(255),
    created_at   DATETIME NOT NULL,
    last_login   DATETIME,
    is_active    BOOLEAN,
    PRIMARY KEY (email)
);

CREATE TABLE user_sessions (
    session_id VARCHAR(36) NOT NULL,
    user_email VARCHAR(255) NOT NULL,
    token      VARCHAR(255) NOT NULL,
    created_at DATETIME NOT NULL,
    expires_at DATETIME NOT NULL,
    is_expired BOOLEAN,
    PRIMARY KEY (session_id),
    FOREIGN KEY (user_email) REFERENCES users (email)
);

CREATE TABLE conversations (
    conversation_id VARCHAR(36) NOT NULL,
    user_email      VARCHAR(255) NOT NULL,
    title           VARCHAR(255),
    model           VARCHAR(100),
    status          VARCHAR(20),  -- enum: active, archived, deleted
    message_count   INTEGER,
    created_at      DATETIME NOT NULL,
    updated_at      DATETIME NOT NULL,
    last_message_at DATETIME,
    PRIMARY KEY (conversation_id),
    FOREIGN KEY (user_email) REFERENCES users (email)
);

CREATE TABLE messages (
    message_id      VARCHAR(36) NOT NULL,
    conversation_id VARCHAR(36) NOT NULL,
    role            VARCHAR(20) NOT NULL,  -- enum: user, assistant, system
    content         TEXT NOT NULL,
    tokens          INTEGER,
    created_at      DATETIME NOT NULL,
    metadata        JSON,
    PRIMARY KEY (message_id),
    FOREIGN KEY (conversation_id) REFERENCES conversations (conversation_id) ON DELETE CASCADE
);

CREATE INDEX ix_conversations_user_email ON conversations (user_email);
CREATE INDEX ix_messages_conversation_id ON messages (conversation_id);
