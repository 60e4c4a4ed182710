"""Connections that the database ends, and connections that are all in use."""

import contextlib
import random
import threading
import time

import cluster as clusters
import processes
import server as servers
from client import Client
from load import Caller, noop, shell
from work import Work

TERMINATE_SECONDS = 12
TERMINATE = ("SELECT COUNT(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity "
             "WHERE datname = %s AND pid <> pg_backend_pid()")
LOCK_SECONDS = 8  # longer than postgres_borrow_timeout, shorter than postgres_lock_timeout
BORROW_SECONDS = 5


def test_every_backend_is_terminated_again_and_again(cluster, database, make_node, seed, tmp_path):
    draw = random.Random(seed)
    node = make_node().start()
    ended = rounds = 0
    with Work(node, tmp_path, seed) as work:
        until = time.monotonic() + TERMINATE_SECONDS
        while time.monotonic() < until:
            time.sleep(draw.uniform(0.05, 0.2))
            ended += cluster.query(TERMINATE, [database.name])[0][0]
            rounds += 1
        print(f"{ended} connections ended in {rounds} rounds")
        print("goes on after", work.goes_on())
        assert work.finish() == 0
    assert node.stop() == 0
    work.check_stopped(node)
    assert ended > rounds > 30 and len(work.load.acknowledged) > 30


class Logins:
    """Clients that all log in at once."""

    def __init__(self, node, threads):
        client = Client(node)
        self.answers = []  # (status, seconds)
        self.threads = [threading.Thread(target=self._log_in, args=(client,)) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def _log_in(self, client):
        began = time.monotonic()
        answer = client.call("POST /auth/login", (200, 503),  # checks Retry-After too
                             body={"email": servers.OWNER, "password": servers.PASSWORD})
        self.answers.append((answer.status, time.monotonic() - began))

    def join(self):
        for thread in self.threads:
            thread.join()
        assert len(self.answers) == len(self.threads)


@contextlib.contextmanager
def locked(database, table):
    with clusters.connect_url(database.url) as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield
        cursor.execute("ROLLBACK")


def test_the_only_connection_waits_for_a_lock(database, make_node, tmp_path):
    """Requests are refused in time; the runs have a connection of their own and go on."""
    node = make_node(DAGY_DATABASE_CONNECTIONS=1).start()
    caller = Caller(node).log_in()
    evidence = tmp_path / "evidence"
    steps = [shell(f"s{i}", evidence, [f"s{i - 1}"] if i else [], body="sleep 0.1")
             for i in range(60)]
    caller.register({"name": "long", "tasks": [*steps, noop("end", ["s59"])]})
    status, answer = caller.call("POST", "/runs", {"flow_name": "long"})
    assert status == 202
    done = "SELECT COUNT(*) FROM journal"
    with locked(database, "users"):
        began = time.monotonic()
        logins = Logins(node, 7)  # and one worker is left
        processes.wait_until(lambda: len(logins.answers) >= 3, BORROW_SECONDS + 5, "refusals")
        assert caller.call("GET", "/health/live")[0] == 200
        before = database.count(done)
        processes.wait_until(lambda: database.count(done) > before + 5, 10, "commits of the run")
        time.sleep(max(0, began + LOCK_SECONDS - time.monotonic()))
    logins.join()
    refused = [seconds for status, seconds in logins.answers if status == 503]
    print(f"{len(refused)} of {len(logins.answers)} refused after {min(refused):.1f} to "
          f"{max(refused):.1f} s")
    assert len(refused) >= 3 and max(refused) < 2 * BORROW_SECONDS + 2
    caller.close()
    caller.log_in()
    processes.wait_until(lambda: caller.get(f"/runs/{answer['run_id']}")["finished_at"], 60, "its end")
    assert caller.get(f"/runs/{answer['run_id']}")["status"] == "SUCCEEDED"
    assert caller.get("/health")["status"] != "unhealthy"
    assert node.stop() == 0
