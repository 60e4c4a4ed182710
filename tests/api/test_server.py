"""The process: start, stop, restart, a second server, offline commands, settings."""

import os
import stat
import subprocess
import threading

import pytest

import server as servers
from client import Client, eventually
from flows import (flow, get_run, logs, register, run_flow, shell, task, task_of, trigger)
from server import OWNER, PASSWORD


def sign_in(server, email=OWNER):
    nobody = Client(server)
    return nobody.with_token(nobody.login(email, PASSWORD))


def serve(tmp_path, **settings):
    """A start that is expected to fail."""
    return subprocess.run([servers.BINARY, "serve"], capture_output=True, text=True,
                          env=servers.environment(tmp_path / "data", **settings), timeout=30)


def test_version(own_server):
    server = own_server()
    printed = subprocess.run([servers.BINARY, "--version"], capture_output=True, text=True)
    assert printed.returncode == 0 and printed.stdout.strip() == server.version
    assert Client(server).call("GET /health/live", 200).json["version"] == server.version


def test_a_second_server_is_refused(own_server, tmp_path):
    server = own_server()
    second = serve(tmp_path)
    assert second.returncode not in (0, None) and "in use" in second.stderr
    assert str(server.data_dir) in second.stderr and "ready" not in second.stdout
    Client(server).call("GET /health", 200)


def test_offline_commands_are_refused_while_it_runs(own_server, tmp_path):
    own_server()
    for words in (["org", "add", "more"], ["user", "add", "a@b.c", "--org", "default", "--role", "viewer"],
                  ["grant", OWNER, "--super-admin"]):
        done = servers.admin(tmp_path / "data", *words, stdin=PASSWORD + "\n")
        assert done.returncode != 0 and "in use" in done.stderr


def test_the_data_directory_is_private(own_server):
    server = own_server()
    assert stat.S_IMODE(os.stat(server.data_dir).st_mode) == 0o700


def test_an_unknown_variable_only_warns(own_server):
    server = own_server(DAGY_COLOUR="ultramarine")
    Client(server).call("GET /health", 200)
    assert "DAGY_COLOUR" in server.log() and "ultramarine" not in server.log()


@pytest.mark.parametrize("settings, word", [
    ({"DAGY_PORT": "70000"}, "70000"), ({"DAGY_PORT": "x"}, "--port"),
    ({"DAGY_ACCESS_TOKEN_TTL_SECONDS": "0"}, "--access-token-ttl"), ({"DAGY_RATE_LIMIT_PER_MINUTE": "-1"}, "--rate-limit"),
    ({"DAGY_DATABASE_URL": "mysql://x"}, "DAGY_DATABASE_URL"),
    ({"DAGY_DATABASE_URL": "postgresql://u:s3cret@h:port/d?x=y"}, "DAGY_DATABASE_URL"),
    ({"DAGY_DATABASE_URL": "postgresql://u:s3cret@127.0.0.1:1/d"}, "Connection refused"),
    ({"DAGY_DATABASE_CONNECTIONS": "0"}, "--database-connections"),
    ({"DAGY_OWNER_PASSWORD": "short"}, "DAGY_OWNER_PASSWORD"),
    ({"DAGY_OWNER_EMAIL": "nobody"}, "DAGY_OWNER_EMAIL"),
    ({"DAGY_ADDRESS": "999.1.1.1"}, "999.1.1.1"),
])
def test_bad_settings(tmp_path, settings, word):
    done = serve(tmp_path, **settings)
    assert done.returncode not in (0, None) and word in done.stderr, done.stderr
    assert "s3cret" not in done.stderr
    assert "short" not in done.stderr


def test_secrets_do_not_reach_tasks_or_the_log(own_server):
    server = own_server()
    client = sign_in(server)
    register(client, flow([shell("see", "env; cat /proc/$PPID/environ | tr '\\0' '\\n'")], "see"))
    view = run_flow(client, "see")
    text = "\n".join(item["message"] for item in logs(client, view["run_id"]))
    for secret in (PASSWORD, client.token, *server.database.secrets):
        assert secret not in text and secret not in server.log()


def test_a_restart_keeps_everything(own_server):
    server = own_server()
    client = sign_in(server)
    spec = flow([shell("a", "echo kept")])
    made = register(client, spec).json
    view = run_flow(client, spec["name"])
    key = {"Idempotency-Key": "kept"}
    body = {"flow_name": spec["name"]}
    first = client.call("POST /runs", 202, body=body, headers=key).json
    assert server.stop() == 0
    server.start()
    assert client.call("GET /me", 200).json["user_email"] == OWNER
    path = {"flow_name": spec["name"]}
    assert client.call("GET /flows/{flow_name}/latest", 200, path=path).json == made
    assert get_run(client, view["run_id"]) == view
    assert [line["message"] for line in logs(client, view["run_id"])] == ["kept"]
    again = client.call("POST /runs", 200, body=body, headers=key)
    assert again.json["run_id"] == first["run_id"]
    assert trigger(client, spec["name"]) > first["run_id"]


# Runs until the file that it names to the test is there.
WAITS = "echo $PWD/go; while ! [ -e go ]; do sleep 0.02; done; echo done"


def waiting_run(client):
    """A run whose task waits for a file; returns its id and the file's path."""
    spec = flow([shell("a", WAITS), task("b", depends_on=["a"])])
    register(client, spec)
    run_id = trigger(client, spec["name"])
    line = eventually(lambda: logs(client, run_id))[0]
    return run_id, line["message"]


def test_sigterm_lets_a_running_task_end(own_server):
    server = own_server()
    client = sign_in(server)
    run_id, go = waiting_run(client)
    server.terminate()
    eventually(lambda: "stopping" in server.log())
    assert server.process.poll() is None
    open(go, "w").close()
    assert server.wait() == 0
    server.start()
    view = eventually(lambda: (found := get_run(client, run_id))["finished_at"] and found)
    assert view["status"] == "SUCCEEDED" and task_of(view, "a")["attempt"] == 1
    assert [line["message"] for line in logs(client, run_id)] == [go, "done"]


def test_a_task_that_outlives_the_drain_runs_again(own_server):
    server = own_server(DAGY_DRAIN_SECONDS="0")
    client = sign_in(server)
    run_id, go = waiting_run(client)
    assert server.stop() == 0
    server.start()
    eventually(lambda: len(logs(client, run_id)) == 2)
    open(go, "w").close()
    view = eventually(lambda: (found := get_run(client, run_id))["finished_at"] and found)
    assert view["status"] == "SUCCEEDED" and task_of(view, "a")["attempt"] == 1


def test_a_waiting_client_is_answered_when_the_server_stops(own_server):
    server = own_server(DAGY_DRAIN_SECONDS="1")
    client = sign_in(server)
    spec = flow([shell("a", "sleep 600")])
    register(client, spec)
    statuses = []

    def wait():
        body = {"flow_name": spec["name"], "wait_seconds": 600}
        statuses.append(client.call("POST /runs", (202, 503), body=body).status)

    waiter = threading.Thread(target=wait)
    waiter.start()
    query = {"flow_name": spec["name"], "status": "RUNNING"}
    eventually(lambda: client.call("GET /runs", 200, query=query).json["items"])
    assert server.stop() == 0
    waiter.join()
    assert statuses


# ---- offline commands ----

def add(tmp_path, *words, stdin="", **settings):
    return servers.admin(tmp_path / "data", *words, stdin=stdin, **settings)


@pytest.fixture
def stopped(tmp_path):
    """A data directory that has been started once."""
    with servers.Server(tmp_path):
        pass
    return tmp_path


def test_organizations(stopped):
    made = add(stopped, "org", "add", "second", "--name", "The Second")
    assert made.returncode == 0 and made.stdout.startswith("org_")
    assert add(stopped, "org", "add", "second").returncode != 0
    for slug in ("a b", "", "-x", "x" * 129):
        assert add(stopped, "org", "add", slug).returncode == 2


def test_a_second_organization_needs_isolation(stopped):
    """Without the user, mount and pid namespaces of tasks it is refused, unless it is allowed."""
    with servers.Server(stopped) as server:
        components = Client(server).call("GET /health", 200).json["components"]
    isolation, = [each for each in components if each["name"] == "isolation"]
    made = add(stopped, "org", "add", "third", DAGY_ALLOW_UNISOLATED="")
    if isolation["status"] == "healthy":
        assert made.returncode == 0, made.stderr
    else:
        assert made.returncode != 0 and "DAGY_ALLOW_UNISOLATED" in made.stderr


def test_users(stopped, own_server):
    def user(email, *more, stdin=PASSWORD + "\n"):
        return add(stopped, "user", "add", email, *more, stdin=stdin)

    where = ["--org", "default", "--role", "viewer"]
    assert user("a@default.test", *where).returncode == 0
    once = user("b@default.test", *where, stdin="")
    assert once.returncode == 0
    password = once.stdout.split("One-time password: ")[1].strip()
    assert user("bad", *where).returncode == 2
    assert user("c@default.test", *where, stdin="short\n").returncode == 2
    assert user("c@default.test", "--org", "default", "--role", "king").returncode == 2
    assert user("c@default.test", "--org", "nowhere", "--role", "viewer").returncode == 5
    assert user("c@default.test").returncode == 2
    # Again: only the role changes.
    assert user("A@default.test", "--org", "default", "--role", "admin", stdin="").returncode == 0
    assert add(stopped, "grant", "b@default.test", "--super-admin").returncode == 0
    assert add(stopped, "grant", "b@default.test").returncode == 2
    assert add(stopped, "grant", "z@default.test", "--super-admin").returncode == 5
    server = own_server(stopped)
    assert sign_in(server, "a@default.test").call("GET /me", 200).json["role"] == "admin"
    nobody = Client(server)
    promoted = nobody.with_token(nobody.login("b@default.test", password))
    assert promoted.call("GET /users/me", 200).json["super_admin"] is True
