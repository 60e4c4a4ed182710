"""watch and logs of runs on a server, also across its restart."""

import json

import flow_files as flows


def start(client, name):
    return json.loads(client("runs", "start", "--flow-name", name, "-o", "json"))["run_id"]


def held(client, name):
    """A flow whose task says a line and waits for the file that is returned."""
    gate = client.home / "tmp" / "gate"
    command = f"echo before; while [ ! -e {gate} ]; do sleep 0.05; done; echo after"
    flows.write(client.home, name, flows.shell("one", command), flows.shell("two", "echo last", depends_on=["one"]))
    client("deploy", f"{name}.json")
    return gate


def test_watch(cli, server):
    cli.home.chmod(0o777)
    flows.write(cli.home, "short", flows.shell("one", "echo said"))
    cli("deploy", "short.json")
    run = start(cli, "short")
    shown = cli("runs", "watch", run)
    assert "| said" in shown and "1 of 1 tasks succeeded" in shown
    assert shown.count("SUCCEEDED") == 2
    again = cli("runs", "watch", run)  # when it has ended long ago
    assert "| said" in again and "SUCCEEDED after" in again
    assert json.loads(cli("runs", "watch", run, "-o", "json"))["status"] == "SUCCEEDED"
    cli("runs", "watch", "run_0000000000000", code=5)


def test_watch_across_a_restart(own_server):
    server, cli = own_server
    flows.write(cli.home, "slow", flows.shell("one", "echo before"), {
        "id": "two", "type": "delay", "config": {"seconds": 4}, "depends_on": ["one"]},
        flows.shell("three", "echo after", depends_on=["two"]))
    cli("deploy", "slow.json")
    run = start(cli, "slow")
    watching = cli.start("runs", "watch", run)
    first = watching.stdout.readline()
    while b"| before" not in first:
        first = watching.stdout.readline()
    server.process.kill()
    server.wait()
    server.settings["DAGY_PORT"] = str(server.port)
    server.start()
    rest = watching.stdout.read().decode()
    assert watching.wait(timeout=60) == 0, watching.stderr.read()
    assert rest.count("| after") == 1 and "| before" not in rest
    assert "SUCCEEDED after" in rest


def test_logs(cli):
    flows.write(cli.home, "said", flows.shell("one", "echo said; printf 'a\\377b\\n'; echo err >&2"))
    cli("deploy", "said.json")
    run = start(cli, "said")
    followed = cli("logs", run, "-f")
    assert followed == cli("logs", run)
    assert followed.splitlines()[0].split("  ")[1:] == ["one", "said"]
    assert "a\ufffdb" in followed
    lines = [json.loads(line) for line in cli("logs", run, "-o", "json").splitlines()]
    assert {line["message"] for line in lines} == {"said", "a\ufffdb", "err"}
    assert cli("logs", run, "-o", "yaml").count("---\n") == 3
    cli("logs", "run_0000000000000", code=5)
    cli("logs", "run_0000000000000", "-f", code=5)


def test_a_reader_that_goes_ends_it(cli):
    flows.write(cli.home, "much", flows.shell("one", "yes | head -n 50000"))
    cli("deploy", "much.json")
    run = start(cli, "much")
    cli("runs", "watch", run)
    process = cli.start("logs", run)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=60) != 0
