"""Each example in this process and on a real server: the same states, outputs and errors."""

import importlib.util
import json
import pathlib

import pytest

import server as servers
from dagy import DagyClient, Flow, deploy, run_local

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"

CASES = [
    ("fan_out", {}, "SUCCEEDED"), ("fan_out", {"texts": []}, "SUCCEEDED"),
    ("resilient", {}, "SUCCEEDED"), ("resilient", {"broken": True}, "FAILED"),
    ("mixed", {}, "SUCCEEDED"), ("mixed", {"unit": 0}, "FAILED"),
]
# Two elements fail at a time: which of them the run's error names is anybody's guess.
RACE = ("resilient", {"numbers": [0, 0]}, "FAILED")
OUTPUTS = {"fan_out": "6 words; the most are in 'one two three'",
           "resilient": {"keep": {"from": "the archive", "kept": [60, 30, 20]},
                         "clean_up": "nothing to clean up"},
           "mixed": ["a: 2.0", "c: 1.2", "b: 0.5"]}


def load(name, monkeypatch):
    """The flow of an example; each has a module `flow`, so under a name of its own."""
    monkeypatch.syspath_prepend(EXAMPLES / name)
    spec = importlib.util.spec_from_file_location(f"{name}_flow", EXAMPLES / name / "flow.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found, = [each for each in vars(module).values() if isinstance(each, Flow)]
    assert found.name == name
    return found


def shown(run, left_out=()):
    """What must be the same wherever a flow runs."""
    tasks = [(each["task_id"], each["map_index"], each["name"], each["status"], each["attempt"],
              each["error"], None if each["task_id"] in left_out else each["output"])
             for each in run["task_runs"]]
    return {"status": run["status"], "error": run["error"], "parameters": run["parameters"],
            "output": run["output"], "tasks": tasks}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    base = tmp_path_factory.getbasetemp()
    base.chmod(0o777)  # tasks have a user of their own
    with servers.Server(tmp_path_factory.mktemp("server"), DAGY_ALLOWED_PATHS=base) as started:
        client = DagyClient(f"http://localhost:{started.port}")
        client.login(servers.OWNER, servers.PASSWORD)
        yield client


@pytest.mark.parametrize("name, parameters, status", [*CASES, RACE])
def test_here(name, parameters, status, monkeypatch):
    run = run_local(load(name, monkeypatch), parameters)
    assert run["status"] == status
    if not parameters:
        assert run["output"] == OUTPUTS[name]


@pytest.mark.parametrize("name, parameters, status", CASES)
def test_here_and_there(name, parameters, status, monkeypatch, server):
    example = load(name, monkeypatch)
    deploy(example, server, deployment_name=name)
    there = server.run(deployment_name=name, parameters=parameters)
    assert there["status"] == status
    assert shown(run_local(example, parameters)) == shown(there)


def test_every_example_is_run():
    assert {each.parent.name for each in EXAMPLES.glob("*/flow.py")} == {
        "debian_inventory", *(name for name, _, _ in CASES)}


ANSWER_BYTES_MAX = 4096  # of an output in GET /runs/{run_id}


def inventory(run, directory):
    """The result without what is this run's own: its directories."""
    too_large = {each["task_id"] for each in run["task_runs"]
                 if len(json.dumps(each["output"], ensure_ascii=False)) > ANSWER_BYTES_MAX
                 or each.get("output_ref")}
    found = shown(run, left_out={"snapshot"} | too_large)  # paths
    return json.loads(json.dumps(found).replace(str(directory), "DIR"))


def test_debian_inventory(monkeypatch, tmp_path_factory, server):
    example = load("debian_inventory", monkeypatch)
    base = tmp_path_factory.mktemp("inventory")
    base.chmod(0o777)
    directories = [base / "here", base / "there"]
    deploy(example, server)
    here = run_local(example, {"output_dir": str(directories[0])})
    there = server.run("debian_inventory", {"output_dir": str(directories[1])})
    assert here["status"] == "SUCCEEDED"
    assert inventory(here, directories[0]) == inventory(there, directories[1])
