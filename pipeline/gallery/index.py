"""The index of pictures: one SQLite table that answers quickly and can be rebuilt from the PNGs at any time.

It shares its file with the job queue; `PRAGMA user_version` is the version of the `images` table. Paths are stored
relative to the outputs folder, so that the folder can be moved.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.events import SavedImage
from pipeline.request import Recipe

VERSION = 1
"""Goes up whenever `_SCHEMA` changes. A table of another version is dropped and filled again from the PNGs."""

_SCHEMA = (
    """
    CREATE TABLE IF NOT EXISTS images (
        id          TEXT PRIMARY KEY,
        job_id      TEXT NOT NULL,
        position    INTEGER NOT NULL,
        path        TEXT NOT NULL,
        created_at  REAL NOT NULL,
        recipe      TEXT NOT NULL
    )
    """,
    "CREATE INDEX IF NOT EXISTS images_by_time ON images (created_at)",
    "CREATE INDEX IF NOT EXISTS images_by_job ON images (job_id, position)",
)
_BUSY_SECONDS = 10.0


class Index:
    """The `images` table. Safe to call from several threads, and from several processes at once."""

    def __init__(self, outputs: Path, database: Path | None) -> None:
        """Open `database`, or a private one in memory when it is None. Raises `sqlite3.Error` or `OSError`."""
        self._outputs = outputs
        self._lock = threading.RLock()
        if database is not None:
            database.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(
            database or ":memory:", timeout=_BUSY_SECONDS, check_same_thread=False, isolation_level=None
        )
        try:
            _use_wal(self._connection)
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._migrate()
        except sqlite3.Error:
            self._connection.close()
            raise

    def put(self, images: Iterable[SavedImage]) -> None:
        """Add pictures that have a path, or bring their rows up to date."""
        rows = [self._row(image) for image in images]
        with self._transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO images VALUES (?, ?, ?, ?, ?, ?)", rows)

    def get(self, image_id: str) -> SavedImage | None:
        found = self._select("WHERE id = ?", image_id)
        return found[0] if found else None

    def of_job(self, job_id: str) -> list[SavedImage]:
        """A job's pictures by their index."""
        return self._select("WHERE job_id = ? ORDER BY position", job_id)

    def newest(self, limit: int, offset: int) -> list[SavedImage]:
        """One page of pictures, newest first."""
        return self._select("ORDER BY created_at DESC, position DESC, id LIMIT ? OFFSET ?", limit, offset)

    def paths(self) -> set[Path]:
        """The paths of all pictures."""
        with self._lock:
            return {self._outputs / path for (path,) in self._connection.execute("SELECT path FROM images")}

    def remove(self, paths: Iterable[Path]) -> None:
        """Forget the pictures at those paths."""
        gone = [(path.relative_to(self._outputs).as_posix(),) for path in paths]
        with self._transaction() as connection:
            connection.executemany("DELETE FROM images WHERE path = ?", gone)

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _migrate(self) -> None:
        with self._transaction() as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version != VERSION:
                connection.execute("DROP TABLE IF EXISTS images")
            for statement in _SCHEMA:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {VERSION}")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the write lock from the beginning, so that waiting for another process is possible."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            with self._connection:
                yield self._connection

    def _row(self, image: SavedImage) -> tuple[str, str, int, str, float, str]:
        if image.path is None:
            raise ValueError(f"Image {image.id} has no path.")
        path = image.path.relative_to(self._outputs).as_posix()
        created_at = image.created_at.timestamp()
        return image.id, image.job_id, image.index, path, created_at, image.recipe.model_dump_json()

    def _select(self, clause: str, *values: object) -> list[SavedImage]:
        sql = f"SELECT id, job_id, position, path, recipe FROM images {clause}"  # noqa: S608 - clauses are ours
        with self._lock:
            rows = self._connection.execute(sql, values).fetchall()
        return [self._image(*row) for row in rows]

    def _image(self, image_id: str, job_id: str, position: int, path: str, recipe_json: str) -> SavedImage:
        recipe = Recipe.from_json(recipe_json)
        return SavedImage(
            id=image_id,
            job_id=job_id,
            index=position,
            path=self._outputs / path,
            recipe=recipe,
            created_at=recipe.created_at,
        )


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
