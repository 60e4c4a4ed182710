"""The throw-away cluster itself: what it promises to the tests that stand on it."""

import os
import pathlib
import pwd
import signal
import subprocess
import sys
import tempfile
import time

import psycopg2
import pytest

import cluster as clusters
from cluster import Cluster

SECONDS = 60
COMMAND = [sys.executable, clusters.__file__, "run", "--"]


@pytest.fixture
def scratch(monkeypatch):
    """The temporary directory of the commands, which everybody can reach. Nothing is left in it."""
    path = pathlib.Path(tempfile.mkdtemp(dir="/tmp"))
    path.chmod(0o1777)
    monkeypatch.setenv("TMPDIR", str(path))
    yield path
    path.rmdir()


def test_it_is_durable_utf8_and_private(cluster):
    def setting(name):
        return cluster.query(f"SHOW {name}")[0][0]

    assert setting("fsync") == setting("synchronous_commit") == setting("full_page_writes") == "on"
    assert (setting("server_encoding"), setting("lc_collate")) == ("UTF8", "C.UTF-8")
    assert setting("listen_addresses") == "127.0.0.1"
    assert pathlib.Path(setting("unix_socket_directories")) == cluster.directory
    assert int(setting("max_connections")) >= 200
    password = cluster.superuser_url.split("@")[0].split(":")[2]
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(cluster.superuser_url.replace(password, "wrong"))


def test_databases_and_roles(cluster):
    cluster.create_role("plain")
    url = cluster.create_database("own-ed", owner="plain")
    with clusters.connect_url(url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (n BIGINT); INSERT INTO t VALUES (7)")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("CREATE ROLE another")
        assert cluster.query("SELECT n FROM t WHERE n = %s", [7], "own-ed") == [(7,)]
        cluster.drop_database("own-ed")  # although somebody uses it
    with pytest.raises(psycopg2.OperationalError, match="does not exist"):
        cluster.query("SELECT 1", database="own-ed")


ORDERED = "SELECT string_agg(x, '' ORDER BY x) FROM (VALUES ('a'), ('B')) AS t (x)"


def test_locale_of_a_database(cluster):
    cluster.create_database("english", locale="icu:en-US")
    assert cluster.query(ORDERED) == [("Ba",)]
    assert cluster.query(ORDERED, database="english") == [("aB",)]


def test_locale_of_a_cluster():
    with Cluster("icu:en-US", {"max_connections": 17}) as made:
        assert made.query(ORDERED) == [("aB",)]
        assert made.query("SHOW max_connections") == [("17",)]


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_keeps_port_and_data(mode):
    with Cluster() as made:
        made.query("CREATE TABLE t (n BIGINT)")
        made.query("INSERT INTO t VALUES (1)")
        port, first = made.port, made.process.pid
        made.stop(mode)
        with pytest.raises(psycopg2.OperationalError, match="refused"):
            made.query("SELECT 1")
        made.settings["work_mem"] = "5MB"
        made.start()
        assert made.port == port and made.process.pid != first
        assert made.query("SELECT n FROM t") == [(1,)]
        assert made.query("SHOW work_mem") == [("5MB",)]
        assert ("not properly shut down" in made.log()) == (mode == "immediate")


def test_a_pause_holds_everything():
    with Cluster() as made:
        with clusters.connect_url(made.superuser_url) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            backend, = cursor.fetchone()
            made.pause()
            assert made.process.pid in made.pids() and backend in made.pids()
            with pytest.raises(psycopg2.OperationalError, match="timeout"):
                psycopg2.connect(made.superuser_url, connect_timeout=2)
            made.resume()
            cursor.execute("SELECT 1")
            assert cursor.fetchall() == [(1,)]
        made.pause()
        made.stop("immediate")  # a paused one too


@pytest.mark.parametrize("is_paused", [False, True])
def test_it_ends_with_the_process_that_made_it(scratch, is_paused):
    script = (f"import time, cluster; made = cluster.Cluster().start(); {is_paused} and made.pause(); "
              "print(made.process.pid, flush=True); time.sleep(600)")
    environment = {**os.environ, "PYTHONPATH": str(pathlib.Path(clusters.__file__).parent)}
    with subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE,
                          text=True) as process:
        postmaster = int(process.stdout.readline())
        process.kill()
    deadline = time.monotonic() + SECONDS
    while list(scratch.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.02)
    with pytest.raises(ProcessLookupError):
        os.kill(postmaster, 0)  # and the directory must be gone, or the fixture fails


# ---- the command ----

def test_the_command_exports_the_url_and_returns_the_code(scratch):
    script = ("import os, psycopg2; c = psycopg2.connect(os.environ['DAGY_TEST_POSTGRES']).cursor(); "
              "c.execute('SELECT 40 + 2'); raise SystemExit(c.fetchone()[0])")
    assert subprocess.run([*COMMAND, sys.executable, "-c", script], timeout=SECONDS).returncode == 42


def test_the_command_without_a_program(scratch):
    done = subprocess.run([*COMMAND, "/no/such"], capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 1 and "/no/such" in done.stderr


def test_the_command_says_that_postgresql_cannot_be_had():
    """No program of PostgreSQL is found, as on a machine without it."""
    script = ("import sys, glob, cluster; glob.glob = lambda pattern: []; "
              "sys.argv = ['cluster.py', 'run', 'true']; sys.exit(cluster.main())")
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=SECONDS,
        env={"PATH": "/nowhere", "PYTHONPATH": str(pathlib.Path(clusters.__file__).parent)})
    assert done.returncode == 1 and "install PostgreSQL" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_command_hands_signals_on_and_cleans_up(number, scratch):
    """The command gets the signal and ends in its own way; the cluster is there until then."""
    script = (f"trap 'psql -qAtc \"select 41 + 1\" $DAGY_TEST_POSTGRES; exit 5' {number.name[3:]}; "
              "echo ready; while :; do sleep 0.05; done")
    with subprocess.Popen([*COMMAND, "sh", "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        assert list(scratch.glob("dagy-postgres-*"))
        process.send_signal(number)
        assert process.communicate(timeout=SECONDS)[0] == "42\n"
        assert process.returncode == 5


def test_a_command_that_is_killed_by_a_signal(scratch):
    assert subprocess.run([*COMMAND, "sh", "-c", "kill -9 $$"], timeout=SECONDS).returncode == 137


@pytest.mark.skipif(os.geteuid() != 0, reason="absent here: root")
def test_the_command_as_a_plain_user(scratch):
    nobody = pwd.getpwnam("nobody")
    # Its own code may be where nobody gets at it.
    script = pathlib.Path(clusters.__file__).read_text()
    done = subprocess.run(
        [sys.executable, "-", "run", "--", "sh", "-c", "psql -qAtc 'SHOW data_directory' $DAGY_TEST_POSTGRES"],
        input=script, capture_output=True, text=True, cwd="/", timeout=SECONDS,
        user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[])
    assert done.returncode == 0 and done.stdout.startswith(f"{scratch}/"), done.stderr


def test_a_directory_that_the_server_cannot_reach(tmp_path, monkeypatch):
    """It goes where the server's user gets to, when the temporary directory is private."""
    tmp_path.chmod(0o700)
    monkeypatch.setattr(clusters.tempfile, "tempdir", str(tmp_path))
    with Cluster() as made:
        assert made.query("SELECT 1") == [(1,)]
        assert (tmp_path in made.directory.parents) == (os.geteuid() != 0)
