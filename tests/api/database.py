"""What the servers of tests keep their data in: a file of SQLite, or a database of PostgreSQL where
DAGY_TEST_DATABASE says so. Each data directory has one of its own.

SQL is written for both, with ? where a value stands.
"""

import atexit
import contextlib
import io
import itertools
import os
import sqlite3

KINDS = ("sqlite", "postgres")
KIND = os.environ.get("DAGY_TEST_DATABASE") or "sqlite"
assert KIND in KINDS, f"DAGY_TEST_DATABASE is one of {KINDS}"


class SqliteFile:
    settings = {}  # it is where a server looks by itself
    secrets = ()

    def __init__(self, data_dir):
        self.path = data_dir / "dagy.db"

    def rows(self, sql, values=()):
        with contextlib.closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as connection:
            return connection.execute(sql, values).fetchall()

    def execute(self, sql, values=()):
        with contextlib.closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(sql, values)

    def check(self):
        assert self.rows("PRAGMA integrity_check") == [("ok",)]

    def size(self):
        """Bytes on the disk."""
        return sum(path.stat().st_size for path in self.path.parent.glob(self.path.name + "*"))

    def content(self):
        """The bytes of all that is stored, in some order."""
        return self.path.read_bytes()

    def drop(self):
        """It goes with the directory."""


class PostgresDatabase:
    """Owned by an ordinary role, as which the server logs in."""

    names = (f"dagy_{os.getpid()}_{number}" for number in itertools.count(1))
    role = f"dagy_{os.getpid()}"
    running = None

    def __init__(self, _):
        self.name = next(self.names)
        self.url = self.instance().create_database(self.name, owner=self.role)
        self.settings = {"DAGY_DATABASE_URL": self.url}
        self.secrets = (self.url, self.instance().passwords[self.role])

    @classmethod
    def instance(cls):
        """Where databases are made: the given PostgreSQL, or one that ends with this process."""
        if cls.running is None:
            import cluster  # needs a package that tests on SQLite do not
            given = os.environ.get(cluster.VARIABLE)
            if given:
                cls.running = cluster.Instance(given)
            else:
                cls.running = cluster.Cluster()
                atexit.register(cls.running.remove)
                cls.running.start()
            cls.running.create_role(cls.role)
        return cls.running

    def rows(self, sql, values=()):
        with self._cursor() as cursor:
            cursor.execute(with_places(sql), values)
            return cursor.fetchall()

    def execute(self, sql, values=()):
        with self._cursor() as cursor:
            cursor.execute(with_places(sql), values)

    @contextlib.contextmanager
    def _cursor(self):
        import cluster
        with cluster.connect_url(self.url) as connection, connection.cursor() as cursor:
            yield cursor

    def check(self):
        """Whether a database is sound is PostgreSQL's own affair."""

    def size(self):
        return self.rows("SELECT pg_database_size(current_database())")[0][0]

    def content(self):
        tables = self.rows("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = current_schema()")
        assert tables
        found = io.BytesIO()
        with self._cursor() as cursor:
            for table, in tables:
                cursor.copy_expert(f"COPY {table} TO STDOUT", found)
        return found.getvalue()

    def drop(self):
        self.instance().drop_database(self.name)


def with_places(sql):
    """In the notation of psycopg2."""
    return sql.replace("%", "%%").replace("?", "%s")


_databases = {}  # data directory -> database


def of(data_dir):
    """The database of this data directory; PostgreSQL's is made when it is first asked for."""
    if data_dir not in _databases:
        _databases[data_dir] = (SqliteFile if KIND == "sqlite" else PostgresDatabase)(data_dir)
    return _databases[data_dir]


def drop_below(directory):
    """Those of all data directories in this one, which are not used any more."""
    for data_dir in [each for each in _databases if directory in each.parents]:
        _databases.pop(data_dir).drop()
