"""Crashes, slots, damaged data, the configuration file."""

import os
import signal
import subprocess

import pytest

import server as servers
from client import Client, eventually
from flows import flow, get_run, logs, register, run_flow, shell, statuses, task_of, trigger
from server import OWNER, PASSWORD

SLOTS = 4 * os.cpu_count()


def sign_in(server):
    nobody = Client(server)
    return nobody.with_token(nobody.login(OWNER, PASSWORD))


def kill(server):
    server.process.send_signal(signal.SIGKILL)
    server.wait()


def started(client, command):
    """A run of one task that has written its first line; its id and that line."""
    spec = flow([shell("a", command)])
    register(client, spec)
    run_id = trigger(client, spec["name"])
    return run_id, eventually(lambda: logs(client, run_id))[0]["message"]


def ended(client, run_id):
    return eventually(lambda: (found := get_run(client, run_id))["finished_at"] and found)


def test_after_a_crash_a_task_runs_again(own_server):
    server = own_server()
    client = sign_in(server)
    run_id, go = started(client, "echo $PWD/go; while ! [ -e go ]; do sleep 0.02; done")
    before = set(servers.processes_of(run_id))
    assert before
    kill(server)
    server.start()
    assert not before & set(servers.processes_of(run_id))
    eventually(lambda: len(logs(client, run_id)) == 2)
    open(go, "w", encoding="utf-8").close()
    view = ended(client, run_id)
    assert view["status"] == "SUCCEEDED" and task_of(view, "a")["attempt"] == 1


def test_a_task_that_is_lost_again_and_again(own_server):
    server = own_server()
    client = sign_in(server)
    run_id, _ = started(client, "echo began; exec sleep 600")
    for crash in range(1, 5):
        eventually(lambda: len(logs(client, run_id)) == crash)
        kill(server)
        server.start()
    view = ended(client, run_id)
    assert view["status"] == "FAILED"
    assert task_of(view, "a")["error"]["kind"] == "node_lost"


def test_the_second_signal_ends_it_at_once(own_server):
    server = own_server(DAGY_DRAIN_SECONDS="600")
    client = sign_in(server)
    started(client, "echo began; exec sleep 600")
    server.terminate()
    eventually(lambda: "stopping" in server.log())

    def gone():
        server.terminate()
        return server.process.poll() is not None

    assert eventually(gone) and server.wait() == 128 + signal.SIGTERM


def test_slots(own_server):
    client = sign_in(own_server())
    spec = flow([shell(f"t{i}", ["sleep", "600"]) for i in range(SLOTS + 3)], max_parallel=10_000)
    register(client, spec)
    first = trigger(client, spec["name"])
    eventually(lambda: list(statuses(get_run(client, first)).values()).count("RUNNING") == SLOTS)
    found = list(statuses(get_run(client, first)).values())
    assert found.count("QUEUED") == 3
    register(client, flow([shell("a", "echo 1")], "waits"))
    second = trigger(client, "waits")
    assert statuses(get_run(client, second)) == {"a": "QUEUED"}
    client.call("POST /runs/{run_id}/cancel", 200, path={"run_id": first})
    assert ended(client, second)["status"] == "SUCCEEDED"
    assert set(statuses(ended(client, first)).values()) == {"CANCELLED"}


def test_a_queued_run_is_cancelled(own_server):
    client = sign_in(own_server())
    spec = flow([shell(f"t{i}", ["sleep", "600"]) for i in range(SLOTS)], max_parallel=10_000)
    register(client, spec)
    first = trigger(client, spec["name"])
    eventually(lambda: list(statuses(get_run(client, first)).values()).count("RUNNING") == SLOTS)
    register(client, flow([shell("a", "echo 1")], "waits"))
    second = trigger(client, "waits")
    client.call("POST /runs/{run_id}/cancel", 200, path={"run_id": second})
    view = ended(client, second)
    assert view["status"] == "CANCELLED" and task_of(view, "a")["attempt"] == 0
    client.call("POST /runs/{run_id}/cancel", 200, path={"run_id": first})


# ---- data that cannot be used ----

def serve(directory, *flags, **settings):
    return subprocess.run([servers.BINARY, "serve", *flags], capture_output=True, text=True,
                          env=servers.environment(directory / "data", **settings), timeout=30)


def test_a_newer_schema_is_refused(own_server, tmp_path):
    server = own_server()
    assert server.stop() == 0
    server.database.execute("INSERT INTO schema_migrations VALUES (99, 'later', 'x', 0)")
    done = serve(tmp_path)
    assert done.returncode != 0 and "newer" in done.stderr, done.stderr


@pytest.mark.sqlite_only("a file that is none of SQLite")
def test_what_is_no_database(own_server, tmp_path):
    server = own_server()
    assert server.stop() == 0
    for leftover in server.data_dir.glob("dagy.db*"):
        leftover.unlink()
    server.database.path.write_bytes(b"no database at all" * 1000)
    done = serve(tmp_path)
    assert done.returncode != 0 and "not a database" in done.stderr, done.stderr


def test_a_data_directory_that_cannot_be(tmp_path):
    (tmp_path / "data").write_text("a file")
    done = serve(tmp_path)
    assert done.returncode != 0 and str(tmp_path / "data") in done.stderr


# ---- the configuration file ----

def test_a_configuration_file(own_server, tmp_path):
    path = tmp_path / "dagy.conf"
    path.write_text("access-token-ttl-seconds = 7200\nowner-email = \"conf@example.test\"\n")
    server = own_server(DAGY_CONFIG=str(path))
    answer = Client(server).call("POST /auth/login", 200, body={
        "email": "conf@example.test", "password": PASSWORD})
    assert answer.json["expires_at"]
    assert server.stop() == 0


def test_a_variable_stands_above_the_file(own_server, tmp_path):
    path = tmp_path / "dagy.conf"
    path.write_text("owner-email = \"conf@example.test\"\n")
    server = own_server(DAGY_CONFIG=str(path), DAGY_OWNER_EMAIL="variable@example.test")
    assert "Owner: variable@example.test" in server.greeting


@pytest.mark.parametrize("text, word", [
    ("colour = red\n", "colour"), ("port = 70000\n", "port"), ("port = x\n", "port"),
    ("owner-password = 'long enough for it'\n", "owner-password"), ("allow-unisolated = 5\n", "allow"),
])
def test_bad_configuration_files(tmp_path, text, word):
    path = tmp_path / "dagy.conf"
    path.write_text(text)
    done = serve(tmp_path, "--config", str(path))
    assert done.returncode == 2 and word in done.stderr, done.stderr


def test_a_configuration_file_that_is_not_there(tmp_path):
    done = serve(tmp_path, "--config", str(tmp_path / "none.conf"))
    assert done.returncode not in (0, None) and "none.conf" in done.stderr


def test_unknown_flags(tmp_path):
    for flags in (["--colour", "red"], ["--owner-password", PASSWORD], ["more"]):
        done = serve(tmp_path, *flags)
        assert done.returncode == 2 and done.stderr


def test_a_run_of_ten_thousand_tasks(own_server):
    client = sign_in(own_server())
    tasks = [{"id": f"t{i}", "type": "noop", "depends_on": [f"t{i - 100}"] if i >= 100 else []}
             for i in range(10_000)]
    register(client, flow(tasks, "large", max_parallel=10_000))
    view = run_flow(client, "large")
    assert view["status"] == "SUCCEEDED" and view["task_count"] == 10_000
