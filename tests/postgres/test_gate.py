"""The gate itself, between two clients that others have written and a real server."""

import contextlib
import signal
import socket
import subprocess
import threading
import time

import psycopg2
import pytest

import cluster as clusters
from gate import ANSWERED, BEFORE, HOLD, REFUSE, SENT, Commits, Gate, are_commits
from pipeline import Pipeline

SECONDS = 20
LOST = (psycopg2.OperationalError, psycopg2.InterfaceError)


@pytest.fixture(scope="module")
def direct(cluster):
    """The URL of a database with an empty table, without the gate."""
    url = cluster.create_database("gate")
    with clusters.connect_url(url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (n BIGINT PRIMARY KEY, text TEXT)")
    return url


@pytest.fixture
def rows(direct):
    """What the table has, asked for beside the gate; it is emptied first."""
    def ask(sql="SELECT n FROM t ORDER BY n"):
        with clusters.connect_url(direct) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return [row[0] for row in cursor.fetchall()] if cursor.description else None
    ask("DELETE FROM t")
    return ask


@pytest.fixture
def gate(direct):
    with Gate.to(direct) as made:
        yield made


def connect(gate, direct):
    return contextlib.closing(psycopg2.connect(gate.url(direct), connect_timeout=5))


def insert(connection, n):
    """Begins a transaction, if none is open; psycopg2 sends BEGIN and COMMIT as statements."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO t VALUES (%s)", [n])


def wait_for(condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def in_background(action):
    """Runs it in a thread; the list gets what came of it."""
    outcome = []

    def act():
        try:
            outcome.append(action())
        except psycopg2.Error as error:
            outcome.append(error)
    thread = threading.Thread(target=act)
    thread.start()
    return thread, outcome


# ---- what it passes on ----

def test_it_passes_all_on_and_counts(gate, direct, rows):
    with connect(gate, direct) as connection:
        for n in range(3):
            insert(connection, n)
            connection.commit()
        insert(connection, 3)
        connection.rollback()
        assert gate.commits == 3 and gate.connections() == 1
    assert rows() == [0, 1, 2]
    wait_for(lambda: gate.connections() == 0)


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer"])
def test_tls_is_asked_for_and_refused(gate, direct, mode):
    with contextlib.closing(psycopg2.connect(gate.url(direct) + f"?sslmode={mode}")) as connection:
        assert connection.info.ssl_in_use is False


def test_large_messages_in_both_directions(gate, direct, rows):
    text = "ü" * 4_000_000
    with connect(gate, direct) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO t SELECT n, %s FROM generate_series(1, 8) AS n", [text])
        connection.commit()
        cursor.execute("SELECT text FROM t")
        assert {row[0] for row in cursor.fetchall()} == {text}
    assert rows("SELECT count(*) FROM t") == [8]


def test_many_connections(gate, direct, rows):
    def work(first):
        with connect(gate, direct) as connection:
            for n in range(first, first + 20):
                insert(connection, n)
                connection.commit()
    threads = [threading.Thread(target=work, args=(100 * i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rows()) == 160 and gate.commits == 160


def test_a_query_is_cancelled_through_it(gate, direct, rows):
    with subprocess.Popen(["psql", "-c", "SELECT pg_sleep(60)", gate.url(direct)],
                          stderr=subprocess.PIPE, text=True) as psql:
        wait_for(lambda: rows("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))
        psql.send_signal(signal.SIGINT)
        assert "canceling statement due to user request" in psql.communicate(timeout=SECONDS)[1]


def test_copy(gate, direct, rows, tmp_path):
    (tmp_path / "rows").write_text("".join(f"{n}\tx\n" for n in range(100_000)))
    with connect(gate, direct) as connection, connection.cursor() as cursor:
        with open(tmp_path / "rows", encoding="utf-8") as source:
            cursor.copy_from(source, "t")
        fault = gate.cut_at_commit(ANSWERED)
        with pytest.raises(LOST):
            connection.commit()
        fault.wait()
    assert rows("SELECT count(*) FROM t") == [100_000]


# ---- shut ----

def test_cut(gate, direct, rows):
    with connect(gate, direct) as one, connect(gate, direct) as other:
        insert(one, 1)
        gate.cut()
        for each in (one, other):
            with pytest.raises(LOST, match="reset by peer|closed"):
                insert(each, 2)
        with connect(gate, direct) as third:
            insert(third, 3)
            third.commit()
    assert rows() == [3]


def test_a_cut_is_a_reset_on_both_sides():
    with socket.create_server(("127.0.0.1", 0)) as listener, Gate(*listener.getsockname()) as gate:
        with socket.create_connection(("127.0.0.1", gate.port), SECONDS) as client:
            server, _ = listener.accept()
            with server:
                server.settimeout(SECONDS)
                wait_for(lambda: all(link.server.transport for link in gate.links) and gate.connections() == 1)
                gate.cut()
                for side in (client, server):
                    with pytest.raises(ConnectionResetError):
                        side.recv(1)


def test_a_cut_ends_the_transaction_in_the_server(gate, direct, rows):
    with connect(gate, direct) as connection:
        insert(connection, 1)
        gate.cut()
        with clusters.connect_url(direct) as beside, beside.cursor() as cursor:
            cursor.execute(f"SET statement_timeout = {1000 * SECONDS}")
            cursor.execute("INSERT INTO t VALUES (1)")  # waits for the other's end
    assert rows() == [1]


def test_refuse_and_open_again(gate, direct, rows):
    with connect(gate, direct) as connection:
        gate.refuse()
        with pytest.raises(LOST):
            insert(connection, 1)
    for _ in range(3):
        with pytest.raises(psycopg2.OperationalError, match="Connection refused"):
            connect(gate, direct)
    gate.open()
    with connect(gate, direct) as connection:
        insert(connection, 1)


def test_hold(gate, direct, rows):
    """Nothing comes through and nothing is lost; what was held goes on."""
    with connect(gate, direct) as connection:
        insert(connection, 1)
        gate.hold()
        thread, outcome = in_background(connection.commit)
        with pytest.raises(psycopg2.OperationalError, match="timeout expired"):
            psycopg2.connect(gate.url(direct), connect_timeout=2)  # accepted, never answered
        assert outcome == [] and rows() == []
        gate.open()
        thread.join(SECONDS)
        assert outcome == [None] and rows() == [1]


def test_a_connection_that_began_while_it_was_held(gate, direct):
    gate.hold()
    thread, outcome = in_background(lambda: connect(gate, direct).thing.info.server_version)
    wait_for(lambda: gate.connections() == 1)
    assert outcome == []
    gate.open()
    thread.join(SECONDS)
    assert outcome[0] >= 140000


def test_a_held_connection_is_cut(gate, direct, rows):
    with connect(gate, direct) as connection:
        gate.hold()
        thread, outcome = in_background(lambda: insert(connection, 1))
        gate.cut()
        thread.join(SECONDS)
        assert isinstance(outcome[0], LOST)


def test_no_server_behind_it(direct):
    with Gate("127.0.0.1", 1) as gate, pytest.raises(psycopg2.OperationalError):
        connect(gate, direct)


# ---- cut at a COMMIT ----

@pytest.mark.parametrize("where, is_kept", [(BEFORE, False), (SENT, True), (ANSWERED, True)])
@pytest.mark.parametrize("number", [1, 3])
def test_cut_at_commit(gate, direct, rows, where, is_kept, number):
    with connect(gate, direct) as connection:
        fault = gate.cut_at_commit(where, number)
        for n in range(1, number):
            insert(connection, n)
            connection.commit()
        insert(connection, number)
        assert not fault.has_happened.is_set()
        with pytest.raises(LOST):
            connection.commit()
        fault.wait()
    assert gate.commits == number
    expected = list(range(1, number + (1 if is_kept else 0)))
    if where == SENT:  # the server may still be at it
        wait_for(lambda: rows() == expected)
    assert rows() == expected
    with connect(gate, direct) as connection:  # it happens once
        insert(connection, 99)
        connection.commit()
    assert rows()[-1] == 99


def test_the_end_of_a_commit_that_was_sent_is_not_waited_for(gate, direct, rows):
    """A deferred constraint lets the COMMIT take a second: the client knows of its loss before."""
    rows("CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS "
         "$$BEGIN PERFORM pg_sleep(1); RETURN NULL; END$$")
    rows("CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED "
         "FOR EACH ROW EXECUTE FUNCTION slow()")
    try:
        with connect(gate, direct) as connection:
            insert(connection, 1)
            gate.cut_at_commit(SENT)
            with pytest.raises(LOST):
                connection.commit()
            assert rows() == []
            wait_for(lambda: rows() == [1])
    finally:
        rows("DROP TRIGGER slow ON t")


def test_a_commit_that_fails_is_answered_too(gate, direct, rows):
    with connect(gate, direct) as connection, connection.cursor() as cursor:
        insert(connection, 1)
        with pytest.raises(psycopg2.errors.UniqueViolation):
            insert(connection, 1)
        fault = gate.cut_at_commit(ANSWERED)
        with pytest.raises(LOST):
            cursor.execute("COMMIT")  # psycopg2 itself would roll back; the answer is ROLLBACK
        fault.wait()
    assert rows() == []


@pytest.mark.parametrize("where, before_release", [(BEFORE, []), (SENT, [1]), (ANSWERED, [1])])
def test_held_at_commit(gate, direct, rows, where, before_release):
    with connect(gate, direct) as connection:
        insert(connection, 1)
        fault = gate.cut_at_commit(where, then=HOLD)
        thread, outcome = in_background(connection.commit)
        fault.wait()
        wait_for(lambda: rows() == before_release)
        assert outcome == []
        gate.open()
        thread.join(SECONDS)
        assert outcome == [None] and rows() == [1]
        insert(connection, 2)
        connection.commit()
    assert rows() == [1, 2]


def test_the_server_is_gone_at_commit(gate, direct, rows):
    with connect(gate, direct) as connection, connect(gate, direct) as other:
        insert(connection, 1)
        gate.cut_at_commit(SENT, then=REFUSE).has_happened.clear()
        with pytest.raises(LOST):
            connection.commit()
        with pytest.raises(LOST):
            insert(other, 2)
        with pytest.raises(psycopg2.OperationalError, match="refused"):
            connect(gate, direct)
    wait_for(lambda: rows() == [1])


def test_a_wait_for_what_does_not_come(gate):
    with pytest.raises(AssertionError, match="no such COMMIT"):
        gate.cut_at_commit(BEFORE).wait(0.1)


# ---- pipelines ----

@pytest.fixture
def pipeline(gate, direct):
    with Pipeline(gate.url(direct)) as made:
        for name, sql in (("b", "BEGIN"), ("i", "INSERT INTO t VALUES ($1)"), ("c", "commit;")):
            made.prepare(name, sql)
        made.sync()
        assert made.tags() == []
        yield made


def transaction(pipeline, n):
    pipeline.execute("b")
    pipeline.execute("i", n)
    pipeline.execute("c")
    pipeline.sync()


def test_pipelines_pass(gate, pipeline, rows):
    for n in range(50):
        transaction(pipeline, n)
    for _ in range(50):
        assert pipeline.tags() == ["BEGIN", "INSERT 0 1", "COMMIT"]
    assert gate.commits == 50 and len(rows()) == 50


@pytest.mark.parametrize("where, kept", [(BEFORE, [1]), (SENT, [1, 2]), (ANSWERED, [1, 2])])
def test_a_pipeline_is_cut_at_commit(gate, pipeline, rows, where, kept):
    """Three transactions are under way at once; the second is cut."""
    fault = gate.cut_at_commit(where, 2)
    for n in (1, 2, 3):
        transaction(pipeline, n)
    told = pipeline.tags() + pipeline.tags()
    fault.wait()
    assert "error" in told and told.count("COMMIT") <= 1
    wait_for(lambda: rows() == kept and not gate.draining)
    time.sleep(0.2)  # the third must not come, and there is no signal of that
    assert rows() == kept


def test_a_commit_that_is_skipped_in_a_pipeline(gate, pipeline, rows):
    """An error comes first: the COMMIT is not executed, and the error is its answer."""
    transaction(pipeline, 1)
    assert pipeline.tags()[-1] == "COMMIT"
    fault = gate.cut_at_commit(ANSWERED)
    transaction(pipeline, 1)
    assert pipeline.tags()[-1] == "error"
    fault.wait()
    assert rows() == [1]


def test_after_an_error_answers_are_still_told_apart(gate, pipeline, rows):
    transaction(pipeline, 1)
    transaction(pipeline, 1)
    pipeline.execute("c")  # of the aborted transaction: ROLLBACK
    pipeline.sync()
    transaction(pipeline, 2)
    assert pipeline.tags() == ["BEGIN", "INSERT 0 1", "COMMIT"]
    assert pipeline.tags() == ["BEGIN", "error"]
    assert pipeline.tags() == ["ROLLBACK"]
    assert pipeline.tags() == ["BEGIN", "INSERT 0 1", "COMMIT"]
    fault = gate.cut_at_commit(ANSWERED, 2)
    transaction(pipeline, 3)
    transaction(pipeline, 4)
    told = pipeline.tags() + pipeline.tags()
    fault.wait()
    assert "error" in told and told.count("COMMIT") <= 1
    assert rows() == [1, 2, 3, 4]


# ---- the protocol, without a server ----

@pytest.mark.parametrize("text, expected", [
    ("COMMIT", [True]), ("  commit ;", [True]), ("END", [True]), ("commit work; ", [True]),
    ("/* why */ COMMIT", [True]), ("-- why\nCOMMIT", [True]), ("ROLLBACK", [False]), ("", []), (";;", []),
    ("BEGIN; INSERT INTO t VALUES (1); COMMIT", [False, False, True]), ("COMMITTED", [False]),
    ("INSERT INTO t VALUES ('x; COMMIT; ''y')", [False]), ('SELECT "a;COMMIT"', [False]),
    ("DO $x$ BEGIN; COMMIT; $x$", [False]), ("SELECT 1 -- ; COMMIT", [False])])
def test_what_a_commit_is(text, expected):
    assert are_commits(text) == expected


def test_a_name_that_is_prepared_again():
    commits = Commits(iter(range(1, 10)).__next__)

    def parse(name, sql):
        return commits.sent(b"P", name + b"\0" + sql + b"\0\0\0")

    def execute(name):
        commits.sent(b"B", b"p\0" + name + b"\0" + bytes(6))
        return commits.sent(b"E", b"p\0" + bytes(4))

    parse(b"s", b"COMMIT")
    parse(b"", b"SELECT 1")
    assert (execute(b"s"), execute(b"")) == ([1], [])
    parse(b"s", b"SELECT 1")
    parse(b"", b"END")
    assert (execute(b"s"), execute(b"")) == ([], [2])
    assert [commits.received(b"C") for _ in range(4)] == [[1], [], [], [2]]
