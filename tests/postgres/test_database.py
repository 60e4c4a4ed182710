"""The helper by which tests look into a server's database: the same SQL on both."""

import pytest

import database

TABLE = "CREATE TABLE t (n BIGINT, text TEXT)"


@pytest.fixture(params=[database.SqliteFile, database.PostgresDatabase])
def made(request, cluster, tmp_path, monkeypatch):
    monkeypatch.setenv("DAGY_TEST_POSTGRES", cluster.superuser_url)
    monkeypatch.setattr(database.PostgresDatabase, "running", None)
    monkeypatch.setattr(database.PostgresDatabase, "role", f"role_{request.node.name}")
    yield (one := request.param(tmp_path))
    one.drop()


def test_rows_and_values(made):
    made.execute(TABLE)
    made.execute("INSERT INTO t VALUES (?, ?)", [1, "100 % of ?"])
    made.execute("INSERT INTO t VALUES (2, NULL)")
    assert made.rows("SELECT n, text FROM t WHERE n = ?", [1]) == [(1, "100 % of ?")]
    assert made.rows("SELECT n FROM t WHERE text LIKE '1%' ORDER BY n") == [(1,)]
    assert made.rows("SELECT * FROM t WHERE n > 5") == []
    made.check()


def test_content(made):
    made.execute(TABLE)
    before = made.size()
    made.execute("INSERT INTO t VALUES (1, ?)", ["hidden" + "x" * 100_000])
    assert b"hidden" in made.content() and b"absent" not in made.content()
    assert made.size() >= before > 0


def test_a_data_directory_has_a_database_of_its_own(cluster, tmp_path, monkeypatch):
    monkeypatch.setenv("DAGY_TEST_POSTGRES", cluster.superuser_url)
    monkeypatch.setattr(database.PostgresDatabase, "running", None)
    monkeypatch.setattr(database.PostgresDatabase, "role", "its_own")
    monkeypatch.setattr(database, "KIND", "postgres")
    one, other = database.of(tmp_path / "1" / "data"), database.of(tmp_path / "2" / "data")
    assert one is database.of(tmp_path / "1" / "data") and one.url != other.url
    one.execute(TABLE)
    other.execute(TABLE)  # has none yet
    assert one.rows("SELECT rolsuper, rolcreatedb FROM pg_roles WHERE rolname = current_user") == [
        (False, False)]
    database.drop_below(tmp_path / "1")
    there = [name for name, in cluster.query("SELECT datname FROM pg_database")]
    assert one.name not in there and other.name in there
    database.drop_below(tmp_path)
    assert other.name not in [name for name, in cluster.query("SELECT datname FROM pg_database")]
