"""Each attack of attacks.py, by a task of another organization."""

import inspect
import json
import os
import shutil
import time

import pytest

import attacks
import server as servers

ATTACKS = [value for _, value in inspect.getmembers(attacks, inspect.isfunction)]
VICTIM = """
echo secret >private
echo secret >/tmp/left
echo secret >/dev/shm/left
ipcmk -M 4096 >/dev/null 2>&1 || true
echo $$ >ready
exec sleep 600
"""
PROCESSES_MAX = 1024  # limits::attempt_processes_max
END_SECONDS = 30


def begin(client, name, task):
    client.call("POST /flows", (200, 201), body={"flow_spec": {"name": name, "tasks": [task]}})
    return client.call("POST /runs", 202, body={"flow_name": name}).json["run_id"]


@pytest.fixture(scope="module")
def place(battlefield):
    """What the attacker knows, once the victim's run is under way."""
    if battlefield.isolation()["status"] != "healthy":
        pytest.skip("absent here: " + battlefield.isolation()["message"])
    run = begin(battlefield.victim, "victim",
                {"id": "task", "type": "shell", "config": {"command": VICTIM}})
    directory = battlefield.server.data_dir / "work" / run
    deadline = time.monotonic() + END_SECONDS
    while not (directory / "ready").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (directory / "ready").exists()
    setuid_id = battlefield.allowed / "id"
    shutil.copy("/usr/bin/id", setuid_id)
    setuid_id.chmod(0o4755)
    parts = battlefield.directory.relative_to("/tmp").parts if battlefield.directory.is_relative_to(
        "/tmp") else ()
    yield {"data_dir": str(battlefield.server.data_dir),
           "server_pid": battlefield.server.process.pid,
           "victim_directory": str(directory), "victim_run": run,
           "victim_pids": servers.processes_of(run),
           "outside": str(battlefield.outside), "setuid_id": str(setuid_id),
           "tmp_entries": list(parts[:1]), "processes_max": PROCESSES_MAX,
           "beat": str(battlefield.allowed / "beat")}
    battlefield.victim.call("POST /runs/{run_id}/cancel", (200, 202), path={"run_id": run}, body={})


def attack_task(attack, place, start):
    code = inspect.getsource(attack) + "\n\ndef main(place):\n    return " + attack.__name__ + "(place)\n"
    return {"id": "task", "type": "python", "config": {"code": code, "start": start},
            "inputs": {"place": {"literal": place}}, "timeout_seconds": END_SECONDS}


@pytest.mark.parametrize("start", ["spawn", "fork", "worker"])
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_attack(battlefield, place, attack, start):
    if attack is attacks.use_a_setuid_program and os.geteuid() != 0:
        pytest.skip("absent here: root, to make a setuid program")
    client = battlefield.attacker
    run = begin(client, attack.__name__, attack_task(
        attack, {**place, "own_descriptors": 6 if start == "worker" else 4}, start))
    view = client.call("GET /runs/{run_id}", 200, path={"run_id": run}).json
    deadline = time.monotonic() + END_SECONDS + 10
    while not view["finished_at"] and time.monotonic() < deadline:
        time.sleep(0.02)
        view = client.call("GET /runs/{run_id}", 200, path={"run_id": run}).json
    assert view["status"] == "SUCCEEDED", json.dumps(view)
    assert view["output"] in ([], {"task": []}), view["output"]
    # The server and the victim are as they were, and nothing of the attacker is left.
    assert battlefield.server.process.poll() is None
    assert servers.processes_of(run) == []
    victim = battlefield.victim.call("GET /runs/{run_id}", 200,
                                     path={"run_id": place["victim_run"]}).json
    assert victim["status"] == "RUNNING"
    if os.path.exists(place["beat"]):
        size = os.path.getsize(place["beat"])
        time.sleep(0.1)
        assert os.path.getsize(place["beat"]) == size
        os.unlink(place["beat"])
