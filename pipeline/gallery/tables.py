"""The tables of the index, and how they are opened.

They share their file with the job queue. `images` can be filled again from the PNGs; `PRAGMA user_version` is its
version. `marks` cannot, so it is never dropped.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

VERSION = 3
"""Goes up whenever the `images` table changes. A table of another version is dropped and filled again from the PNGs."""

# The columns that a search looks at come first: SQLite reads a row from its beginning, and recipes are long.
_SCHEMA = (
    """
    CREATE TABLE IF NOT EXISTS images (
        id          TEXT PRIMARY KEY,
        deleted     INTEGER NOT NULL,
        created_at  REAL NOT NULL,
        position    INTEGER NOT NULL,
        model       TEXT NOT NULL,
        width       INTEGER NOT NULL,
        height      INTEGER NOT NULL,
        words       TEXT NOT NULL,
        job_id      TEXT NOT NULL,
        pixels      TEXT NOT NULL,
        parent      TEXT NOT NULL,
        path        TEXT NOT NULL,
        size        INTEGER NOT NULL,
        modified    INTEGER NOT NULL,
        recipe      TEXT NOT NULL
    )
    """,
    "CREATE INDEX IF NOT EXISTS images_by_time ON images (deleted, created_at DESC, position DESC, id)",
    "CREATE INDEX IF NOT EXISTS images_by_model ON images (deleted, model, created_at DESC)",
    "CREATE INDEX IF NOT EXISTS images_by_size ON images (deleted, width, height, created_at DESC)",
    "CREATE INDEX IF NOT EXISTS images_by_job ON images (job_id, position)",
    "CREATE INDEX IF NOT EXISTS images_by_pixels ON images (pixels, deleted, created_at)",
    "CREATE INDEX IF NOT EXISTS images_by_parent ON images (parent, deleted, created_at)",
    "CREATE INDEX IF NOT EXISTS images_by_path ON images (path, size, modified)",
    """
    CREATE TABLE IF NOT EXISTS marks (
        id          TEXT PRIMARY KEY,
        favourite   INTEGER NOT NULL DEFAULT 0,
        rating      INTEGER NOT NULL DEFAULT 0
    )
    """,
)
_BUSY_SECONDS = 10.0


def connect(database: Path | None) -> sqlite3.Connection:
    """Open `database` for any thread, or a private one in memory when it is None, with the tables as they are now.

    Raises `sqlite3.Error` or `OSError`.
    """
    if database is not None:
        database.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(
        database or ":memory:", timeout=_BUSY_SECONDS, check_same_thread=False, isolation_level=None
    )
    try:
        _use_wal(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        _migrate(connection)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging. SQLite's own timeout does not cover this while another process does the same."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _migrate(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version != VERSION:
            connection.execute("DROP TABLE IF EXISTS images")
        for statement in _SCHEMA:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
