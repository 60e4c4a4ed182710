"""Building flows and running them."""

import itertools
import textwrap

WAIT_SECONDS = 60
_numbers = itertools.count(1)


def fresh_name(stem):
    return f"{stem}_{next(_numbers)}"


def task(task_id, kind="noop", config=None, **keys):
    document = {"id": task_id, "type": kind, **keys}
    if config is not None:
        document["config"] = config
    return document


def shell(task_id, command, env=None, **keys):
    config = {"command": command}
    if env:
        config["env"] = env
    return task(task_id, "shell", config, **keys)


def python(task_id, code, **keys):
    return task(task_id, "python", {"code": textwrap.dedent(code)}, **keys)


def transform(task_id, program, **keys):
    return task(task_id, "transform", {"program": program}, **keys)


def flow(tasks, name=None, **keys):
    return {"name": name or fresh_name("flow"), "tasks": tasks, **keys}


def register(client, spec, status=201):
    return client.call("POST /flows", status, body={"flow_spec": spec})


def trigger(client, flow_name, **body):
    """Starts a run and returns its id at once."""
    body = {"flow_name": flow_name, **body}
    return client.call("POST /runs", 202, body=body).json["run_id"]


def get_run(client, run_id):
    return client.call("GET /runs/{run_id}", 200, path={"run_id": run_id}).json


def run(client, tasks, **keys):
    """Registers a flow of these tasks, runs it to its end and returns the run."""
    spec = flow(tasks, **keys)
    register(client, spec)
    return run_flow(client, spec["name"])


def run_flow(client, flow_name, **body):
    body = {"flow_name": flow_name, "wait_seconds": WAIT_SECONDS, **body}
    return client.call("POST /runs", 200, body=body).json


def task_of(run_view, task_id):
    return next(each for each in run_view["task_runs"] if each["task_id"] == task_id)


def statuses(run_view):
    return {each["task_id"]: each["status"] for each in run_view["task_runs"]}


def logs(client, run_id, **query):
    answer = client.call("GET /runs/{run_id}/logs", 200, path={"run_id": run_id}, query=query)
    return answer.json["items"]


def noop_run(client):
    return run(client, [task("only")])
