"""The index of pictures: one SQLite table that answers quickly and can be rebuilt from the PNGs at any time.

Paths are stored relative to the outputs folder, so that the folder can be moved. What people think of a picture is
nowhere else, so it has a table of its own that outlives every rebuilding.
"""

from __future__ import annotations

import os
import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.events import SavedImage
from pipeline.gallery import files, tables
from pipeline.gallery.files import Stamp
from pipeline.gallery.query import Facets, ImageQuery, searchable, span, words
from pipeline.inputs import INPUT_ID
from pipeline.recipe import Recipe

_COLUMNS = "images.id, job_id, position, path, size, modified, recipe, deleted, favourite, rating"
_INSERT = "INSERT OR REPLACE INTO images VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INPUT_ID = re.compile(INPUT_ID)
_FROM = "FROM images LEFT JOIN marks ON marks.id = images.id"


class Row(NamedTuple):
    """A picture in the index, and the stamp that its file had when it was read."""

    image: SavedImage
    stamp: Stamp

    @property
    def path(self) -> Path:
        """Where the picture is; the index knows only pictures that have a place."""
        if self.image.path is None:
            raise ValueError(f"Image {self.image.id} has no path.")
        return self.image.path


def row_of(image: SavedImage) -> Row:
    """A saved picture as the index takes it, with the stamp that its file has now."""
    return Row(image, (files.stamp(image.path) if image.path else None) or Stamp(-1, -1))


class Index:
    """The `images` and `marks` tables. Safe to call from several threads, and from several processes at once."""

    def __init__(self, outputs: Path, database: Path | None) -> None:
        """Open `database`, or a private one in memory when it is None. Raises `sqlite3.Error` or `OSError`."""
        self._outputs = outputs
        self._lock = threading.RLock()
        self.lasting = database is not None
        """Whether what is written is still there after the process ends."""
        self._connection = tables.connect(database)

    def put(self, rows: Iterable[Row]) -> None:
        """Add pictures that have a path, or bring their rows up to date; their marks are left as they are."""
        self.replace([], rows)

    def get(self, image_id: str) -> Row | None:
        """The picture with that id, deleted or not."""
        found = self._select("WHERE images.id = ?", image_id)
        return found[0] if found else None

    def of_job(self, job_id: str) -> list[Row]:
        """A job's pictures by their index, without the deleted ones."""
        return self._select("WHERE job_id = ? AND deleted = 0 ORDER BY position", job_id)

    def with_pixels(self, input_id: str) -> list[Row]:
        """The pictures that have just these pixels, those that are not deleted first, then the oldest."""
        return self._select("WHERE pixels = ? ORDER BY deleted, created_at", input_id)

    def made_from(self, input_id: str) -> list[Row]:
        """The pictures that were made from those pixels, oldest first, without the deleted ones."""
        return self._select("WHERE parent = ? AND deleted = 0 ORDER BY created_at", input_id)

    def search(self, query: ImageQuery, limit: int, offset: int) -> list[Row]:
        """One page of what is wanted, newest first."""
        where, values = _conditions(query)
        order = "ORDER BY deleted, created_at DESC, position DESC, images.id LIMIT ? OFFSET ?"
        return self._select(f"{where} {order}", *values, limit, offset)

    def count(self, query: ImageQuery) -> int:
        """How many pictures are wanted in all."""
        where, values = _conditions(query)
        return int(self._execute(f"SELECT COUNT(*) {_FROM} {where}", *values)[0][0])

    def facets(self) -> Facets:
        """Every model and size with the number of its pictures, most first."""
        by = "FROM images WHERE deleted = 0 GROUP BY"
        deleted = self._execute("SELECT COUNT(*) FROM images WHERE deleted = 1")
        return Facets(
            models=tuple(self._execute(f"SELECT model, COUNT(*) AS n {by} model ORDER BY n DESC, model")),
            sizes=tuple(
                self._execute(f"SELECT width, height, COUNT(*) AS n {by} width, height ORDER BY n DESC, width, height")
            ),
            total=self._execute("SELECT COUNT(*) FROM images WHERE deleted = 0")[0][0],
            deleted=deleted[0][0],
        )

    def input_ids(self) -> set[str]:
        """Every picture that another was made from, deleted ones' too, and those before it in a chain."""
        recipes = self._execute('SELECT recipe FROM images WHERE instr(recipe, \'"image":"\') > 0')
        return {name for (recipe,) in recipes for name in _INPUT_ID.findall(recipe)}

    def stamps(self) -> dict[str, Stamp]:
        """The path and stamp of every picture, deleted ones too."""
        rows = self._execute("SELECT path, size, modified FROM images")
        folder = f"{self._outputs}{os.sep}"
        return {folder + path.replace("/", os.sep): Stamp(size, modified) for path, size, modified in rows}

    def remove(self, paths: Iterable[Path]) -> None:
        """Forget the pictures at those paths; their marks wait for them."""
        self.replace(paths, [])

    def replace(self, paths: Iterable[Path | str], rows: Iterable[Row]) -> None:
        """`remove` and `put` at once, so that no reader misses a picture between the two."""
        gone = [(self._relative(path),) for path in paths]
        values = [self._values(row) for row in rows]
        with self._transaction() as connection:
            connection.executemany("DELETE FROM images WHERE path = ?", gone)
            connection.executemany(_INSERT, values)

    def mark(self, image_id: str, favourite: bool | None, rating: int | None) -> None:
        """Keep what somebody thinks of a picture; None leaves it as it is."""
        with self._transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO marks (id) VALUES (?)", (image_id,))
            connection.execute(
                "UPDATE marks SET favourite = coalesce(?, favourite), rating = coalesce(?, rating) WHERE id = ?",
                (favourite, rating, image_id),
            )

    def forget_marks(self, image_ids: Iterable[str]) -> None:
        """Forget what people thought of pictures that are gone for good."""
        with self._transaction() as connection:
            connection.executemany("DELETE FROM marks WHERE id = ?", [(image_id,) for image_id in image_ids])

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the write lock from the beginning, so that waiting for another process is possible."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            with self._connection:
                yield self._connection

    def _execute(self, sql: str, *values: object) -> list[Any]:
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def _select(self, clause: str, *values: object) -> list[Row]:
        rows = self._execute(f"SELECT {_COLUMNS} {_FROM} {clause}", *values)
        return [self._row(*row) for row in rows]

    def _values(self, row: Row) -> tuple[object, ...]:
        """A row in the order of the table's columns."""
        image, recipe = row.image, row.image.recipe
        return (
            image.id,
            image.deleted,
            image.created_at.timestamp(),
            image.index,
            recipe.model,
            recipe.width,
            recipe.height,
            searchable(image),
            image.job_id,
            recipe.pixels,
            recipe.image or "",
            self._relative(row.path),
            *row.stamp,
            recipe.model_dump_json(),
        )

    def _relative(self, path: Path | str) -> str:
        return Path(path).relative_to(self._outputs).as_posix()

    def _row(
        self,
        image_id: str,
        job_id: str,
        position: int,
        path: str,
        size: int,
        modified: int,
        recipe_json: str,
        deleted: int,
        favourite: int | None,
        rating: int | None,
    ) -> Row:
        recipe = Recipe.from_json(recipe_json)
        image = SavedImage(
            id=image_id,
            job_id=job_id,
            index=position,
            path=self._outputs / path,
            recipe=recipe,
            created_at=recipe.created_at,
            favourite=bool(favourite),
            rating=rating or 0,
            deleted=bool(deleted),
        )
        return Row(image, Stamp(size, modified))


def _conditions(query: ImageQuery) -> tuple[str, list[object]]:
    """The WHERE clause of a query, and its values. `instr`, unlike LIKE, knows no wildcards."""
    since, until = span(query)
    wanted: list[tuple[str, object]] = [("deleted = ?", query.deleted)]
    wanted += [("created_at >= ?", since)] if query.since else []
    wanted += [("created_at < ?", until)] if query.until else []
    wanted += [("model = ?", query.model)] if query.model is not None else []
    wanted += [("width = ?", query.width)] if query.width else []
    wanted += [("height = ?", query.height)] if query.height else []
    wanted += [("favourite = ?", True)] if query.favourite else []
    wanted += [("rating >= ?", query.min_rating)] if query.min_rating else []
    wanted += [("instr(words, ?) > 0", word) for word in words(query)]
    return "WHERE " + " AND ".join(condition for condition, _ in wanted), [value for _, value in wanted]
