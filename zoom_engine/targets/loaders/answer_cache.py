"""Answers of a service on disk, by what was asked: a resumed audit asks nothing twice."""

from __future__ import annotations

import sqlite3
from functools import partial
from pathlib import Path

from zoom_engine.common.errors import CacheError
from zoom_engine.common.threads import PerProcess, Turns

TABLE = "CREATE TABLE IF NOT EXISTS answers (picture TEXT PRIMARY KEY, answer TEXT) WITHOUT ROWID"
FIND = "SELECT CAST(answer AS BLOB) FROM answers WHERE picture = ?"  # texts in files that earlier versions wrote


class AnswerCache:
    """A SQLite file of answers, which survives kills; may be called by several threads and processes."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it.

        Raises:
            CacheError: it cannot be made.
        """
        self._path, self._turns = path, Turns()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = PerProcess(partial(_opened, path))  # SQLite's connections are of one process
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error

    def find(self, question: str) -> bytes | None:
        """Return the answer to the question of that digest, or None.

        Raises:
            CacheError: the file cannot be read.
        """
        try:
            with self._turns.taken():
                row = self._file().execute(FIND, (question,)).fetchone()
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        return None if row is None else bytes(row[0])

    def keep(self, question: str, answer: bytes) -> None:
        """Keep the answer to the question of that digest.

        Raises:
            CacheError: the file cannot be written.
        """
        try:
            with self._turns.taken():
                self._file().execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", (question, answer))
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> CacheError:
        return CacheError(f"the answers in {self._path} cannot be used ({error}): delete the file, or say cache=false")


def _opened(path: Path) -> sqlite3.Connection:
    file = sqlite3.connect(path, timeout=30, check_same_thread=False, isolation_level=None)
    file.execute("PRAGMA journal_mode=WAL")
    file.execute(TABLE)
    return file
