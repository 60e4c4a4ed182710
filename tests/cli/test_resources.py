"""Commands that come from the route table, their exit codes and formats."""

import json
import socket
import threading

import pytest
import server as servers

import flow_files as flows


@pytest.fixture
def run_id(cli):
    """A run that has succeeded."""
    path = flows.write(cli.home, "good", flows.shell("one", "echo 1"))
    return json.loads(cli("run", path, "--server", "-o", "json"))["run_id"]


def test_flows(cli, run_id):
    assert run_id
    table = cli("flows", "list")
    assert table.splitlines()[0].split()[:2] == ["FLOW_NAME", "FLOW_VERSION"]
    assert any(line.startswith("good ") for line in table.splitlines())
    shown = json.loads(cli("flows", "show", "good", "--output", "json"))
    assert shown["flow_spec"]["name"] == "good"
    assert "flow_name: good\n" in cli("flows", "show", "good", "--output", "yaml")
    versions = json.loads(cli("flows", "versions", "list", "good", "-o", "json"))["items"]
    assert cli("flows", "versions", "show", "good", versions[0]["flow_version"])


def test_runs(cli, run_id):
    assert run_id in cli("runs", "list", "--status", "SUCCEEDED", "--flow-name", "good")
    assert "task_runs:" in cli("runs", "show", run_id)
    cli("runs", "why", run_id)
    again = json.loads(cli("runs", "rerun", run_id, "-o", "json"))["run_id"]
    cli("runs", "watch", again)
    cli("runs", "cancel", again, code=1)  # it has ended: a conflict
    body = json.dumps({"flow_name": "good", "wait_seconds": 60})
    assert json.loads(cli("runs", "start", "--body", body, "-o", "json"))["status"] == "SUCCEEDED"
    started = cli("runs", "start", "--flow-name", "good", "--wait-seconds", "60",
                  "--parameters", "{}", "--idempotency-key", "k1")
    assert "SUCCEEDED" in started


def test_cancel_of_a_run(cli):
    flows.write(cli.home, "long", flows.shell("one", "sleep 1000"))
    cli("deploy", "long.json")
    run = json.loads(cli("runs", "start", "--flow-name", "long", "-o", "json"))["run_id"]
    cli("runs", "cancel", run, "--reason", "no more")
    watched = cli.raw("runs", "watch", run)
    assert watched.returncode == 1 and b"CANCELLED" in watched.stdout


def test_deployments(cli):
    flows.write(cli.home, "rolled", flows.shell("one", "echo 1"), version="one")
    assert cli("deploy", "rolled.json") == "rolled version one is deployed as rolled\n"
    flows.write(cli.home, "rolled", flows.shell("one", "echo 2"), version="two")
    assert cli("deploy", "rolled.json", "--name", "rolled").startswith("rolled version two")
    assert "two" in cli("deployments", "list", "--flow-name", "rolled")
    cli("deployments", "rollback", "rolled")
    listed = json.loads(cli("deployments", "list", "--flow-name", "rolled", "-o", "json"))["items"]
    assert [each["flow_version"] for each in listed] == ["one"]
    cli("deployments", "delete", "rolled")


def test_keys(cli):
    made = json.loads(cli("keys", "create", "--name", "ci", "--scopes", "runs.read", "--scopes",
                          "flows.read", "-o", "json"))
    assert sorted(made["scopes"]) == ["flows.read", "runs.read"]
    assert "ci" in cli("keys", "list")
    key_id = next(made[name] for name in made if name.endswith("_id") and "key" in name)
    assert cli("keys", "delete", key_id) == ""
    cli("keys", "delete", key_id, code=5)


def test_pages(cli):
    for i in range(3):
        flows.write(cli.home, f"page{i}", flows.shell("one", "true"))
        cli("deploy", f"page{i}.json")
    done = cli.raw("flows", "list", "--limit", "1")
    assert b"--next-token" in done.stderr and len(done.stdout.splitlines()) == 2
    page = json.loads(cli("flows", "list", "--limit", "1", "-o", "json"))
    after = json.loads(cli("flows", "list", "--limit", "1", "--next-token", page["next_token"],
                           "-o", "json"))
    assert after["items"] != page["items"]
    every = json.loads(cli("flows", "list", "--limit", "2", "--all", "-o", "json"))
    assert len(every["items"]) >= 3 and every["next_token"] is None


def test_exit_codes(cli, stranger, server):
    cli("flows", "show", "absent", code=5)
    cli("runs", "show", "run_0000000000000", code=5)
    cli("runs", "show", "../me", code=5)  # a name is one segment
    cli("runs", "show", "", code=2)
    cli("runs", "list", "--limit", "0", code=2)
    cli("runs", "list", "--limit", "many", code=2)
    cli("runs", "list", "--colour", "red", code=2)
    cli("no-such-command", code=2)
    cli("runs", code=2)
    cli(code=2)
    cli("flows", "list", "--output", "xml", code=2)
    cli("runs", "start", "--parameters", "{", "--flow-name", "x", code=2)
    cli("runs", "start", "--body", "{}", "--flow-name", "x", code=2)
    cli("runs", "start", "--priority", "high", "--flow-name", "x", code=2)
    assert "/flow_name" in cli("runs", "start", "--body", '{"flow_name": "/", "priority": 1000}', code=2)
    cli("runs", "list", variables={"DAGY_TOKEN": "wrong"}, code=3)
    cli("runs", "list", variables={"DAGY_TOKEN": "wro\nng"}, code=2)
    servers.add_user  # roles are tested with the API
    assert stranger.url == server.url


def test_secrets_are_no_arguments(cli):
    text = cli("auth", "password", "--help")
    assert "@FILE" in text
    flag = next(word for word in text.split() if word.startswith("--") and "password" in word)
    assert "is a secret" in cli("auth", "password", flag, "x", code=2)


def test_no_server(alone):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = {"DAGY_TOKEN": "dagy_at_x"}
    url = f"http://127.0.0.1:{port}"
    assert "no answer from" in alone("runs", "list", "--url", url, code=4, variables=variables)
    alone("runs", "watch", "run_1", "--url", url, code=4, variables=variables)
    alone("login", "--url", url, "--email", "a@b.test", stdin="password 1234\n", code=4)
    alone("doctor", "--url", url, code=4)
    alone("runs", "list", "--url", "http://name.invalid", code=4, variables=variables)
    for wrong in ("ftp://x", "localhost", "http://", "http://user@host", "http://x/?a"):
        alone("runs", "list", "--url", wrong, code=2, variables=variables)
    assert not alone.config.exists()


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n<htm>",
    b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\n<htm>",
    b"HTTP/1.1 302 Found\r\nLocation: http://example.com/\r\nContent-Length: 0\r\n\r\n",
    b"nonsense\r\n\r\n",
    b"",
])
def test_another_program_at_the_address(alone, answer):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def serve():
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        alone("runs", "list", "--url", f"http://127.0.0.1:{listener.getsockname()[1]}", code=4,
              variables={"DAGY_TOKEN": "dagy_at_x"})
        thread.join()


def test_large_answers(cli):
    many = "i=0; while [ $i -lt 20000 ]; do echo line number $i; i=$((i+1)); done"
    path = flows.write(cli.home, "lines", flows.shell("one", many))
    run = json.loads(cli("run", path, "--server", "-o", "json"))["run_id"]
    lines = cli("logs", run).splitlines()
    assert [line.split("  ")[2] for line in lines] == [f"line number {i}" for i in range(20000)]
    assert len(cli("logs", run, "-f").splitlines()) == 20000
