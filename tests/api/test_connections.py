"""Connections and the sql node, on SQLite files and on a PostgreSQL of its own name."""

import os
import sqlite3
import urllib.parse

import pytest

import server as servers
from client import Client, eventually
from flows import flow, fresh_name, register, run_flow, task, task_of

CREATE, LIST = "POST /connections", "GET /connections"
ONE = "GET /connections/{connection_id}"
PATCH = "PATCH /connections/{connection_id}"
DELETE = "DELETE /connections/{connection_id}"
TEST = "POST /connections/{connection_id}/test"
SECRET = "opensesame-71c2"


def at(made):
    return {"connection_id": made["connection_id"]}


def create(client, status=201, **body):
    return client.call(CREATE, status, body=body)


@pytest.fixture
def file(house):
    """Path of a database that tasks may change."""
    path = house.server.data_dir.parent / (fresh_name("file") + ".db")
    path.parent.chmod(0o777)
    yield path
    path.unlink(missing_ok=True)


@pytest.fixture
def lite(owner, file):
    return create(owner, name=fresh_name("lite"), type="sqlite", path=str(file)).json


def sql(connection, statement, *parameters, **config):
    config = {"connection": connection["name"], "statement": statement, **config}
    if parameters:
        config["parameters"] = list(parameters)
    return task("sql", "sql", config)


def run_sql(client, connection, statement, *parameters, **config):
    spec = flow([sql(connection, statement, *parameters, **config)], outputs=["sql"])
    register(client, spec)
    return run_flow(client, spec["name"])


def output(client, connection, statement, *parameters, **config):
    run = run_sql(client, connection, statement, *parameters, **config)
    assert run["status"] == "SUCCEEDED", run["task_runs"][0]["error"]
    return run["output"]


def failure(client, connection, statement, *parameters, **config):
    run = run_sql(client, connection, statement, *parameters, **config)
    assert run["status"] == "FAILED"
    return task_of(run, "sql")["error"]


# ---- the resource ----

def test_create_read_list_change_delete(owner):
    made = create(owner, name=fresh_name("pg"), type="postgresql", host="db.example.org", database="d",
                  user="u", password=SECRET, sslmode="verify-full").json
    assert made["port"] == 5432 and made["has_password"] and made["path"] is None
    assert owner.call(ONE, 200, path=at(made)).json == made
    assert made in [item for page in owner.pages(LIST, 2) for item in page]
    changed = owner.call(PATCH, 200, path=at(made), body={"port": 6543, "name": fresh_name("pg"), "password": SECRET}).json
    assert changed["port"] == 6543 and changed["has_password"] and changed["host"] == "db.example.org"
    emptied = owner.call(PATCH, 200, path=at(made), body={"password": ""}).json
    assert not emptied["has_password"]
    owner.call(DELETE, 204, path=at(made))
    for route in (ONE, DELETE, TEST, PATCH):
        owner.call(route, 404, path=at(made), body={} if route in (TEST, PATCH) else None)


def test_names_are_unique_in_the_organization(owner, stranger, file):
    name = fresh_name("c")
    body = {"name": name, "type": "postgresql", "host": "h", "database": "d", "user": "u"}
    create(owner, **body)
    create(owner, 409, **body)
    create(stranger, **body)
    other = create(owner, **dict(body, name=fresh_name("c"))).json
    owner.call(PATCH, 409, path=at(other), body={"name": name})


POSTGRES = {"name": "c", "type": "postgresql", "host": "h", "database": "d", "user": "u"}


@pytest.mark.parametrize("change, path", [
    ({"type": "mysql"}, "/type"), ({"type": "odbc"}, "/type"), ({"type": "s3"}, "/type"), ({"type": None}, "/type"),
    ({"name": "a b"}, "/name"), ({"name": None}, "/name"), ({"host": None}, "/host"), ({"host": "a,b"}, "/host"),
    ({"host": "/run/postgresql"}, "/host"), ({"host": "a b"}, "/host"), ({"host": ""}, "/host"),
    ({"port": 0}, "/port"), ({"port": 65536}, "/port"), ({"port": "5432"}, "/port"), ({"database": None}, "/database"),
    ({"user": None}, "/user"), ({"sslmode": "maybe"}, "/sslmode"), ({"path": "/x"}, "/path"),
    ({"read_only": True}, "/read_only"), ({"secret": "s"}, "/secret"), ({"password": "x" * 1025}, "/password"),
])
def test_bad_fields_of_postgresql(owner, change, path):
    assert path in create(owner, 422, **{**POSTGRES, **change}).error_paths


def test_bad_fields_of_sqlite(owner, house, file):
    base = {"name": "c", "type": "sqlite"}
    link = file.parent / fresh_name("link")
    link.symlink_to("/etc")
    for change, path in (({}, "/path"), ({"path": "relative.db"}, "/path"), ({"path": "/etc/passwd"}, "/path"),
                         ({"path": f"{file.parent}/../../etc/passwd"}, "/path"), ({"path": f"{link}/x.db"}, "/path"),
                         ({"path": str(house.server.data_dir / "dagy.db")}, "/path"),
                         ({"path": f"{file.parent}/none/x.db"}, "/path"), ({"path": str(file.parent)}, "/path"),
                         ({"path": str(file), "host": "h"}, "/host"), ({"path": str(file), "password": "p"}, "/password")):
        assert create(owner, 422, **base, **change).error_paths == {path}, change


def test_sqlite_needs_allowed_paths(own_server):
    server = own_server(DAGY_ALLOWED_PATHS="")
    client = Client(server)
    owner = client.with_token(client.login(servers.OWNER, servers.PASSWORD))
    answer = create(owner, 422, name="c", type="sqlite", path="/tmp/x.db")
    assert answer.error_paths == {"/path"} and "DAGY_ALLOWED_PATHS" in answer.detail


def test_the_password_is_nowhere(house, owner):
    made = create(owner, **dict(POSTGRES, name=fresh_name("pg"), password=SECRET)).json
    owner.call(PATCH, 200, path=at(made), body={"password": SECRET + "2"})
    for route in (ONE, LIST):
        assert SECRET not in owner.call(route, 200, path=at(made)).body.decode()
    assert SECRET.encode() not in house.server.database.content()
    assert SECRET not in house.server.log()
    key = house.server.data_dir / "master.key"
    assert key.stat().st_mode & 0o777 == 0o600


def test_another_organization(stranger, owner, lite):
    for route in (ONE, DELETE, TEST, PATCH):
        stranger.call(route, 404, path=at(lite), body={} if route in (TEST, PATCH) else None)
    assert lite["connection_id"] not in [item["connection_id"] for page in stranger.pages(LIST, 100) for item in page]
    assert failure(stranger, lite, "SELECT 1")["kind"] == "start_error"


# ---- sqlite ----

def test_rows(owner, lite):
    assert output(owner, lite, "CREATE TABLE t (a INTEGER, b TEXT)") == {"rows_affected": 0}
    assert output(owner, lite, "INSERT INTO t VALUES (?1, ?2), (2, 'two')", 1, "one") == {"rows_affected": 2}
    query = "SELECT a, b FROM t ORDER BY a"
    rows = [{"a": 1, "b": "one"}, {"a": 2, "b": "two"}]
    assert output(owner, lite, query) == output(owner, lite, query, fetch="all") == rows
    assert output(owner, lite, query, fetch="one") == rows[0]
    assert output(owner, lite, query, fetch="value") == 1
    assert output(owner, lite, "SELECT a FROM t WHERE a = 9") == []
    assert output(owner, lite, "SELECT a FROM t WHERE a = 9", fetch="one") is None
    assert output(owner, lite, "SELECT a FROM t WHERE a = 9", fetch="value") is None
    assert output(owner, lite, "DELETE FROM t WHERE a = ?1 RETURNING a", 2) == [{"a": 2}]
    assert output(owner, lite, "DELETE FROM t", fetch="none") == {"rows_affected": 1}


def test_a_password_does_not_follow_a_change(owner):
    made = create(owner, **dict(POSTGRES, name=fresh_name("pg"), password=SECRET)).json
    for change in ({"host": "elsewhere"}, {"port": 1}, {"database": "x"}, {"user": "x"}, {"sslmode": "disable"}):
        assert owner.call(PATCH, 422, path=at(made), body=change).error_paths == {"/password"}
    assert owner.call(ONE, 200, path=at(made)).json == made
    owner.call(PATCH, 200, path=at(made), body={"host": "elsewhere", "password": "another"})
    bare = create(owner, **dict(POSTGRES, name=fresh_name("pg"))).json
    owner.call(PATCH, 200, path=at(bare), body={"host": "elsewhere"})


@pytest.mark.parametrize("value", [None, 0, -1, 2**63 - 1, -2**63, 1.5, 1e300, "", "text", "ünï\n\"'; DROP TABLE t", "x" * 4000])
def test_values_come_back(owner, lite, value):
    assert output(owner, lite, "SELECT ?1 AS v", value, fetch="value") == value


def test_other_values(owner, lite):
    assert output(owner, lite, "SELECT ?1 AS v", True, fetch="value") == 1
    assert output(owner, lite, "SELECT ?1 AS v", [1, {"a": 2}], fetch="value") == '[1,{"a":2}]'
    assert output(owner, lite, "SELECT x'00ff' AS v, 1e999 AS i") == [{"v": "AP8=", "i": "inf"}]


def test_templates_reach_parameters_and_not_the_statement(owner, lite):
    spec = flow([sql(lite, "SELECT ?1 AS v, '{{ parameters.x }}' AS raw", "{{ parameters.x }}")],
                parameters=[{"name": "x", "type": "string"}], outputs=["sql"])
    register(owner, spec)
    evil = "'); DROP TABLE t; --"
    assert run_flow(owner, spec["name"], parameters={"x": evil})["output"] == [
        {"v": evil, "raw": "{{ parameters.x }}"}]


@pytest.mark.parametrize("statement, words", [
    ("SELEC 1", "syntax"), ("SELECT * FROM none", "no such table"), ("SELECT 1; SELECT 2", "one statement"),
    ("SELECT ?1", "parameters"), ("", ""), ("  -- nothing", "empty"), ("ATTACH 'x.db' AS x", "not authorized"),
    ("SELECT 1 AS id, 2 AS id", "named id"), ("SELECT CAST(x'ff' AS TEXT) AS t", "UTF-8"),
    ("SELECT load_extension('x')", ""), ("DETACH main", "not authorized"),
])
def test_bad_statements(owner, lite, statement, words):
    if statement == "":
        spec = flow([sql(lite, statement)])
        assert register(owner, spec, 422).error_paths == {"/flow_spec/tasks/0/config/statement"}
        return
    error = failure(owner, lite, statement)
    assert error["kind"] == "sql" and words in error["message"]


def test_numbers_that_do_not_fit(owner, lite):
    assert output(owner, lite, "SELECT ?1 AS v", 1e-320, fetch="value") == 1e-320
    error = failure(owner, lite, "SELECT ?1", 2**63)
    assert error["kind"] == "sql" and "parameter 1" in error["message"]


def test_limits(owner, lite):
    error = failure(owner, lite, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100001) SELECT i FROM n")
    assert error["kind"] == "result_too_large"
    error = failure(owner, lite, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 90) SELECT zeroblob(1000000) AS b FROM n")
    assert error["kind"] == "result_too_large"


def test_a_statement_without_end_is_ended(owner, lite):
    endless = dict(sql(lite, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"),
                   timeout_seconds=1)
    spec = flow([endless])
    register(owner, spec)
    assert task_of(run_flow(owner, spec["name"]), "sql")["status"] == "TIMED_OUT"


def test_read_only_and_what_is_no_database(owner, file):
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE t (a)")
    file.chmod(0o666)
    reader = create(owner, name=fresh_name("ro"), type="sqlite", path=str(file), read_only=True).json
    assert owner.call(TEST, 200, path=at(reader), body={}).json == {"connected": True, "detail": ""}
    assert output(owner, reader, "SELECT count(*) AS n FROM t", fetch="value") == 0
    assert "readonly" in failure(owner, reader, "INSERT INTO t VALUES (1)")["message"]
    file.write_text("this is a text, and longer than a header is")
    assert not owner.call(TEST, 200, path=at(reader), body={}).json["connected"]
    assert failure(owner, reader, "SELECT 1 FROM t")["kind"] == "sql"
    file.unlink()
    assert not owner.call(TEST, 200, path=at(reader), body={}).json["connected"]
    assert failure(owner, reader, "SELECT 1")["kind"] == "connection"


def test_a_path_that_has_become_a_link(owner, lite, file):
    file.symlink_to("/etc/passwd")
    assert failure(owner, lite, "SELECT 1")["kind"] == "connection"
    assert not owner.call(TEST, 200, path=at(lite), body={}).json["connected"]


# ---- postgresql ----

@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    """A server that may call the PostgreSQL of the tests, and the parts of that one's URL."""
    url = os.environ.get("DAGY_TEST_POSTGRES")
    assert url, "DAGY_TEST_POSTGRES names a PostgreSQL: run this by tests/postgres/cluster.py"
    parts = urllib.parse.urlsplit(url)
    server = servers.Server(tmp_path_factory.mktemp("postgres"),
                            DAGY_HTTP_ALLOW=f"{parts.hostname}:{parts.port}")
    with server:
        yield server, parts


@pytest.fixture(scope="module")
def pg_owner(postgres):
    client = Client(postgres[0])
    return client.with_token(client.login(servers.OWNER, servers.PASSWORD))


@pytest.fixture(scope="module")
def pg(pg_owner, postgres):
    parts = postgres[1]
    return create(pg_owner, name="warehouse", type="postgresql", host=parts.hostname, port=parts.port,
                  database=parts.path[1:], user=urllib.parse.unquote(parts.username),
                  password=urllib.parse.unquote(parts.password)).json


def test_postgresql_test(pg_owner, pg):
    assert pg_owner.call(TEST, 200, path=at(pg), body={}).json == {"connected": True, "detail": ""}
    wrong = create(pg_owner, **{**{name: pg[name] for name in ("host", "port", "database", "user")},
                                "name": "wrong", "type": "postgresql", "password": "wrong"}).json
    verdict = pg_owner.call(TEST, 200, path=at(wrong), body={}).json
    assert not verdict["connected"] and "password" in verdict["detail"]
    assert failure(pg_owner, wrong, "SELECT 1")["kind"] == "connection"


def test_postgresql_values(pg_owner, pg):
    row = output(pg_owner, pg, """
        SELECT true AS b, 42::smallint AS s, 9223372036854775807 AS i, 1.5::float8 AS f, 0.1::numeric(30,20) AS n,
               'NaN'::float8 AS nan, 'téxt' AS t, NULL AS z, '{"a": [1]}'::jsonb AS j, '\\x00ff'::bytea AS y,
               '2026-01-02 03:04:05.6+02'::timestamptz AS tz, '2026-01-02 03:04:05'::timestamp AS ts,
               '2026-01-02'::date AS d, '{1,2}'::int[] AS a, 'infinity'::timestamptz AS inf""", fetch="one")
    assert row == {"b": True, "s": 42, "i": 9223372036854775807, "f": 1.5, "n": 0.1, "nan": "NaN", "t": "téxt",
                   "z": None, "j": {"a": [1]}, "y": "AP8=", "tz": "2026-01-02T01:04:05.6Z",
                   "ts": "2026-01-02T03:04:05", "d": "2026-01-02", "a": "{1,2}", "inf": "infinity"}


def test_postgresql_statements(pg_owner, pg):
    table = fresh_name("t")
    assert output(pg_owner, pg, f"CREATE TABLE {table} (a int, b text, c jsonb)") == {"rows_affected": 0}
    evil = "'); DROP TABLE x; --"
    insert = f"INSERT INTO {table} VALUES ($1, $2, $3)"
    assert output(pg_owner, pg, insert, 1, evil, {"k": [1]}) == {"rows_affected": 1}
    assert output(pg_owner, pg, f"SELECT * FROM {table}") == [{"a": 1, "b": evil, "c": {"k": [1]}}]
    assert output(pg_owner, pg, f"UPDATE {table} SET a = a + 1 RETURNING a", fetch="value") == 2
    assert output(pg_owner, pg, f"DROP TABLE {table}", fetch="none") == {"rows_affected": 0}
    error = failure(pg_owner, pg, "SELECT 1/0")
    assert error["kind"] == "sql" and "22012" in error["message"]
    assert "42601" in failure(pg_owner, pg, "SELECT 1; SELECT 2")["message"]
    assert "COPY" in failure(pg_owner, pg, "COPY (SELECT 1) TO STDOUT")["message"]
    assert "no columns" in failure(pg_owner, pg, "SELECT")["message"]
    assert "named id" in failure(pg_owner, pg, "SELECT 1 AS id, 2 AS id")["message"]
    odd = output(pg_owner, pg, """SELECT '{"a": 1, "a": 2}'::json AS j""", fetch="value")
    assert odd == '{"a": 1, "a": 2}'


def test_nothing_of_the_servers_own_goes_to_a_database(own_server, postgres, pg):
    """A connection without a password sends none, whatever the server's environment has."""
    server = own_server(DAGY_HTTP_ALLOW=f"{pg['host']}:{pg['port']}",
                        PGPASSWORD=urllib.parse.unquote(postgres[1].password))
    client = Client(server)
    owner = client.with_token(client.login(servers.OWNER, servers.PASSWORD))
    made = create(owner, **{name: pg[name] for name in ("name", "type", "host", "port", "database", "user")}).json
    verdict = owner.call(TEST, 200, path=at(made), body={}).json
    assert not verdict["connected"] and "password" in verdict["detail"]
    assert failure(owner, made, "SELECT 1")["kind"] == "connection"


def test_a_killed_server_leaves_no_statement(own_server, pg_owner, pg, postgres):
    server = own_server(DAGY_HTTP_ALLOW=f"{pg['host']}:{pg['port']}")
    client = Client(server)
    owner = client.with_token(client.login(servers.OWNER, servers.PASSWORD))
    made = create(owner, **{name: pg[name] for name in ("name", "type", "host", "port", "database", "user")},
                  password=urllib.parse.unquote(postgres[1].password)).json
    mark = fresh_name("orphan")
    count = f"SELECT count(*) AS n FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%{mark}%' AND pid <> pg_backend_pid()"
    spec = flow([sql(made, f"SELECT pg_sleep(600) /* {mark} */")])
    register(owner, spec)
    owner.call("POST /runs", 202, body={"flow_name": spec["name"]})
    eventually(lambda: output(pg_owner, pg, count, fetch="value") == 1)
    server.process.kill()
    server.process.wait()
    server.process.stdout.close()
    eventually(lambda: output(pg_owner, pg, count, fetch="value") == 0)
    server.start()


def test_a_stopped_task_cancels_its_statement(pg_owner, pg):
    mark = fresh_name("sleeper")
    count = f"SELECT count(*) AS n FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%{mark}%' AND pid <> pg_backend_pid()"
    spec = flow([sql(pg, f"SELECT pg_sleep(600) /* {mark} */")])
    register(pg_owner, spec)
    run_id = pg_owner.call("POST /runs", 202, body={"flow_name": spec["name"]}).json["run_id"]
    eventually(lambda: output(pg_owner, pg, count, fetch="value") == 1)
    pg_owner.call("POST /runs/{run_id}/cancel", 200, path={"run_id": run_id}, body={})
    eventually(lambda: output(pg_owner, pg, count, fetch="value") == 0)


def test_addresses_that_are_not_public(owner):
    made = create(owner, name=fresh_name("pg"), type="postgresql", host="127.0.0.1", port=5432, database="d", user="u").json
    error = failure(owner, made, "SELECT 1")
    assert error["kind"] == "forbidden_address" and "DAGY_HTTP_ALLOW" in error["message"]
    verdict = owner.call(TEST, 200, path=at(made), body={}).json
    assert not verdict["connected"] and "DAGY_HTTP_ALLOW" in verdict["detail"]


def test_another_master_key(own_server, tmp_path):
    server = own_server()
    client = Client(server)
    owner = client.with_token(client.login(servers.OWNER, servers.PASSWORD))
    create(owner, **dict(POSTGRES, password=SECRET))
    assert server.stop() == 0
    key = server.data_dir / "master.key"
    kept = key.read_bytes()
    for content, mode in ((b"short\n", 0o600), (b"A" * 43 + b"=\n", 0o600), (kept, 0o644)):
        key.write_bytes(content)
        key.chmod(mode)
        with pytest.raises(AssertionError):
            server.start()
        assert "DAGY_MASTER_KEY_FILE" in server.log()
        server.process.wait()
    key.chmod(0o600)
    server.start()
