"""What must hold of the runs of a load once all of them have ended."""

import json

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def number_of(run_id):
    value = 0
    for character in run_id.removeprefix("run_"):
        value = value * 32 + CROCKFORD.index(character)
    return value


def ended_runs(server):
    """(number, status, parameters) of the database of a stopped server in which nothing lives."""
    server.database.check()
    assert server.database.rows("SELECT * FROM run_live") == []
    return server.database.rows("SELECT run_id, status, parameters FROM run")


def finished_runs(server, acknowledged):
    """{number: parameters}; all have succeeded."""
    rows = ended_runs(server)
    ended = {run: json.loads(parameters) for run, _, parameters in rows}
    for run in acknowledged:
        assert number_of(run) in ended, f"{run} was acknowledged and is gone"
    assert {status for _, status, _ in rows} == {"SUCCEEDED"}
    return ended


def database(server, acknowledged, requests):
    """Of the database of a stopped server whose runs have a parameter `request`."""
    ended = {run: parameters["request"]
             for run, parameters in finished_runs(server, acknowledged).items()}
    # One run a request, whether it was answered, repeated with its key, or neither.
    assert len(ended) == len(set(ended.values())), "a request made two runs"
    assert set(ended.values()) <= set(requests)
    for request, run in requests.items():
        assert run is None or ended[number_of(run)] == request


def run(caller, run_id, flow, evidence):
    """Of one run that was acknowledged; returns how many of its processes were lost."""
    view = caller.get(f"/runs/{run_id}")
    assert view["status"] == "SUCCEEDED" and view["finished_at"], view
    tasks = {task["task_id"]: task for task in view["task_runs"]}
    assert list(tasks) == [task["id"] for task in flow["tasks"]]
    log = list(caller.items(f"/runs/{run_id}/logs")) if has_log(flow) else []
    lost = 0
    for spec in flow["tasks"]:
        task = tasks[spec["id"]]
        assert task["status"] == "SUCCEEDED" and task["error"] is None, task
        in_order(task, [tasks[parent] for parent in spec["depends_on"]])
        if spec["type"] != "shell":
            continue
        mine = evidence[run_id, spec["id"]]
        lost += processes(task, mine, retries=spec.get("retries", 0))
        for parent in spec["depends_on"]:
            theirs = evidence.get((run_id, parent))
            # The parent's end was committed before the child began, so it never ran again.
            assert not theirs or theirs[-1][0] < mine[0][0], f"{run_id}: {spec['id']} ran too early"
        whole_log(task, [line for line in log if line["task_run_id"] == task["task_run_id"]])
    return lost


def has_log(flow):
    return any(task["type"] == "shell" for task in flow["tasks"])


def in_order(task, parents):
    assert task["started_at"] <= task["finished_at"], task
    for parent in parents:
        assert parent["finished_at"] <= task["started_at"], (parent, task)


def processes(task, entries, retries):
    """The evidence of one task; returns how many of its processes were lost."""
    assert task["attempt"] == 1 + retries, task
    assert len(task["earlier_attempts"]) == retries
    begun = [(attempt, token) for _, attempt, token, what in entries if what == "begin"]
    ended = [(attempt, token) for _, attempt, token, what in entries if what == "end"]
    assert [attempt for attempt, _ in begun] == sorted(attempt for attempt, _ in begun)
    # The one that counts is the last that began, and it came to its end.
    assert begun[-1] == ended[-1] == (task["attempt"], task["output"]["token"]), (task, entries)
    return len(begun) - task["attempt"]


def whole_log(task, lines):
    """The lines of the process that counts: all, in order, once."""
    token = task["output"]["token"]
    mine = [line["message"] for line in lines if line["message"].startswith(token)]
    expected = [f"{token} {i}" for i in range(1, task["output"]["lines"] + 1)]
    assert mine == expected, f"{task['task_run_id']}: the log has {len(mine)} lines: {mine[:3]}…"
    assert json.loads(lines[-1]["message"]) == task["output"]
    assert all(line["attempt"] <= task["attempt"] for line in lines)
    places = [tuple(int(part) for part in line["seq"].split(".")) for line in lines]
    assert places == sorted(set(places))
