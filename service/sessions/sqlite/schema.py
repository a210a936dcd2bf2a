"""The tables, and how older ones become these."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from service.sessions.errors import StoreTooNew

APPLICATION_ID = 0x4C53544D
"""`LSTM`: so that `file` and others know what the database is."""
VERSION = 3
COLUMNS = "id, owner, parent, model, seed, version, num_tokens, num_bytes, created_s, used_s"
"""Those that make a `Session`, in its order."""
RECORD = (
    "generation, num_read, num_written, seed, options, finish_reason, usage, prompt, text, "
    "read_ids, written_ids"
)
"""Those that make a `TurnRecord`."""

_STEPS = (
    """
    CREATE TABLE sessions (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        owner TEXT NOT NULL,
        parent TEXT,
        model TEXT NOT NULL,
        seed INTEGER NOT NULL,
        version INTEGER NOT NULL,
        num_tokens INTEGER NOT NULL,
        num_bytes INTEGER NOT NULL,
        created_s REAL NOT NULL,
        used_s REAL NOT NULL,
        fence INTEGER NOT NULL DEFAULT 0,
        leased_until_s REAL NOT NULL DEFAULT 0,
        holder TEXT NOT NULL DEFAULT ''
    ) STRICT;
    CREATE INDEX sessions_by_owner ON sessions (owner, created_s);
    CREATE INDEX sessions_by_use ON sessions (used_s);
    CREATE INDEX sessions_by_owner_and_use ON sessions (owner, used_s);
    CREATE INDEX sessions_by_age ON sessions (created_s);

    -- Apart from the sessions, so that listing those reads no rows.
    CREATE TABLE session_rows (
        number INTEGER PRIMARY KEY REFERENCES sessions (number) ON DELETE CASCADE,
        content BLOB NOT NULL
    ) STRICT;

    CREATE TABLE turns (
        number INTEGER NOT NULL REFERENCES sessions (number) ON DELETE CASCADE,
        version INTEGER NOT NULL,
        at_s REAL NOT NULL,
        num_tokens INTEGER NOT NULL,
        num_bytes INTEGER NOT NULL,
        generation TEXT NOT NULL,
        num_read INTEGER NOT NULL,
        num_written INTEGER NOT NULL,
        seed INTEGER NOT NULL,
        options TEXT NOT NULL,
        finish_reason TEXT NOT NULL,
        usage TEXT NOT NULL,
        prompt TEXT,
        text TEXT,
        idempotency_key TEXT,
        digest BLOB,
        PRIMARY KEY (number, version)
    ) STRICT;

    CREATE UNIQUE INDEX turns_by_key ON turns (number, idempotency_key)
        WHERE idempotency_key IS NOT NULL;

    CREATE TABLE tombstones (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        owner TEXT NOT NULL,
        reason TEXT NOT NULL
    ) STRICT;

    CREATE TABLE holdings (
        owner TEXT PRIMARY KEY,
        num_sessions INTEGER NOT NULL,
        num_bytes INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX holdings_by_sessions ON holdings (num_sessions);
    CREATE INDEX holdings_by_bytes ON holdings (num_bytes);

    CREATE TABLE total (
        num_sessions INTEGER NOT NULL,
        num_bytes INTEGER NOT NULL
    ) STRICT;
    INSERT INTO total VALUES (0, 0);

    CREATE TRIGGER session_comes AFTER INSERT ON sessions BEGIN
        INSERT INTO holdings VALUES (new.owner, 1, new.num_bytes) ON CONFLICT (owner) DO UPDATE
            SET num_sessions = num_sessions + 1, num_bytes = num_bytes + new.num_bytes;
        UPDATE total SET num_sessions = num_sessions + 1, num_bytes = num_bytes + new.num_bytes;
    END;
    CREATE TRIGGER session_grows AFTER UPDATE OF num_bytes ON sessions
    WHEN new.num_bytes <> old.num_bytes BEGIN
        UPDATE holdings SET num_bytes = num_bytes + new.num_bytes - old.num_bytes
            WHERE owner = new.owner;
        UPDATE total SET num_bytes = num_bytes + new.num_bytes - old.num_bytes;
    END;
    CREATE TRIGGER session_goes AFTER DELETE ON sessions BEGIN
        UPDATE holdings SET num_sessions = num_sessions - 1, num_bytes = num_bytes - old.num_bytes
            WHERE owner = old.owner;
        DELETE FROM holdings WHERE owner = old.owner AND num_sessions = 0;
        UPDATE total SET num_sessions = num_sessions - 1, num_bytes = num_bytes - old.num_bytes;
    END;
    """,
    """
    -- Room is an account's, whoever a session is there for.
    ALTER TABLE sessions ADD COLUMN account TEXT NOT NULL DEFAULT '';
    UPDATE sessions SET account = owner;
    CREATE INDEX sessions_by_account_and_use ON sessions (account, used_s);
    DROP INDEX sessions_by_owner_and_use;
    DROP TRIGGER session_comes;
    DROP TRIGGER session_grows;
    DROP TRIGGER session_goes;
    DROP TABLE holdings;
    CREATE TABLE holdings (
        account TEXT PRIMARY KEY,
        num_sessions INTEGER NOT NULL,
        num_bytes INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX holdings_by_sessions ON holdings (num_sessions);
    CREATE INDEX holdings_by_bytes ON holdings (num_bytes);
    INSERT INTO holdings SELECT account, count(*), sum(num_bytes) FROM sessions GROUP BY account;
    CREATE TRIGGER session_comes AFTER INSERT ON sessions BEGIN
        INSERT INTO holdings VALUES (new.account, 1, new.num_bytes) ON CONFLICT (account) DO UPDATE
            SET num_sessions = num_sessions + 1, num_bytes = num_bytes + new.num_bytes;
        UPDATE total SET num_sessions = num_sessions + 1, num_bytes = num_bytes + new.num_bytes;
    END;
    CREATE TRIGGER session_grows AFTER UPDATE OF num_bytes ON sessions
    WHEN new.num_bytes <> old.num_bytes BEGIN
        UPDATE holdings SET num_bytes = num_bytes + new.num_bytes - old.num_bytes
            WHERE account = new.account;
        UPDATE total SET num_bytes = num_bytes + new.num_bytes - old.num_bytes;
    END;
    CREATE TRIGGER session_goes AFTER DELETE ON sessions BEGIN
        UPDATE holdings SET num_sessions = num_sessions - 1, num_bytes = num_bytes - old.num_bytes
            WHERE account = old.account;
        DELETE FROM holdings WHERE account = old.account AND num_sessions = 0;
        UPDATE total SET num_sessions = num_sessions - 1, num_bytes = num_bytes - old.num_bytes;
    END;

    ALTER TABLE turns ADD COLUMN read_ids BLOB;
    ALTER TABLE turns ADD COLUMN written_ids BLOB;

    -- Rows at earlier places, to go back to.
    CREATE TABLE checkpoints (
        number INTEGER NOT NULL REFERENCES sessions (number) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        content BLOB NOT NULL,
        PRIMARY KEY (number, position)
    ) STRICT;
    """,
    """
    -- Leases belong to runs, and end by a clock that cannot be set; those of before are over.
    UPDATE sessions SET leased_until_s = 0, holder = '';
    CREATE TABLE runs (
        name TEXT PRIMARY KEY,
        apart_s REAL NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- Of the latest turns, to tell their ends again: see `changes.commit`.
    ALTER TABLE sessions ADD COLUMN committed TEXT NOT NULL DEFAULT '';
    """,
)
"""From each version to the next one."""


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a database to `VERSION`, each step as a whole.

    Raises:
        StoreTooNew: It is of a newer program.
        sqlite3.DatabaseError: It is another program's, or damaged.
    """
    connection.execute("BEGIN")
    version = _version_of(connection)
    connection.execute("COMMIT")
    while version < VERSION:
        connection.execute("BEGIN IMMEDIATE")
        version = _version_of(connection)  # another server may have been quicker
        if version < VERSION:
            for statement in _statements(_STEPS[version]):
                connection.execute(statement)
            version += 1
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("COMMIT")


def _version_of(connection: sqlite3.Connection) -> int:
    [(version,)] = connection.execute("PRAGMA user_version")
    [(application,)] = connection.execute("PRAGMA application_id")
    [(num_tables,)] = connection.execute("SELECT count(*) FROM sqlite_schema")
    if application != APPLICATION_ID and (application or num_tables):
        raise sqlite3.DatabaseError("it is the database of another program")
    if version > VERSION:
        raise StoreTooNew(
            f"it has schema {version}, of a newer program; this one knows up to {VERSION}"
        )
    return int(version)


def _statements(script: str) -> Iterator[str]:
    """Its statements: `executescript` would end the transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
