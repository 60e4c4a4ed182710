"""GET /runs/{run_id}/logs."""

import pytest

from client import eventually
from flows import flow, get_run, logs, noop_run, register, run, shell, task, trigger

LOGS = "GET /runs/{run_id}/logs"


def messages(items):
    return [item["message"] for item in items]


@pytest.fixture(scope="module")
def counted(owner):
    """A run whose two tasks each wrote 50 numbered lines, one after the other."""
    count = "for i in $(seq 50); do echo {0}$i; done"
    view = run(owner, [shell("a", count.format("a")), shell("b", count.format("b"), depends_on=["a"])])
    assert view["status"] == "SUCCEEDED"
    return view


EXPECTED = [f"a{i}" for i in range(1, 51)] + [f"b{i}" for i in range(1, 51)]


def test_lines_in_order(owner, counted):
    answer = owner.call(LOGS, 200, path={"run_id": counted["run_id"]}).json
    assert messages(answer["items"]) == EXPECTED and answer["next_token"] is None
    assert answer["log_stream"] == "/".join(
        [counted["run_slug"], counted["flow_version"], counted["run_id"]])
    first = answer["items"][0]
    assert first["level"] == "info" and first["attempt"] == 1 and first["truncated"] is False
    assert first["task_run_id"] == counted["run_id"] + ":a"
    times = [item["timestamp"] for item in answer["items"]]
    assert times == sorted(times) and times[0] >= counted["created_at"]


@pytest.mark.parametrize("limit", [1, 7, 50, 1000])
def test_pages(owner, counted, limit):
    path = {"run_id": counted["run_id"]}
    found = [line for page in owner.pages(LOGS, limit, path=path) for line in page]
    assert messages(found) == EXPECTED
    assert len({item["seq"] for item in found}) == 100


def test_after(owner, counted):
    items = logs(owner, counted["run_id"])
    for i in (0, 48, 49, 50, 98):
        assert logs(owner, counted["run_id"], after=items[i]["seq"]) == items[i + 1:]
    assert logs(owner, counted["run_id"], after=items[-1]["seq"]) == []
    path, query = {"run_id": counted["run_id"]}, {"after": items[9]["seq"]}
    found = [line for page in owner.pages(LOGS, 8, query, path=path) for line in page]
    assert found == items[10:]


def test_one_task_only(owner, counted):
    path, query = {"run_id": counted["run_id"]}, {"task_run_id": counted["run_id"] + ":b"}
    for limit in (3, 1000):
        found = [line for page in owner.pages(LOGS, limit, query, path=path) for line in page]
        assert messages(found) == EXPECTED[50:]
    for other in (":c", "", ":b:0"):
        owner.call(LOGS, 404, path=path, query={"task_run_id": counted["run_id"] + other})


@pytest.mark.parametrize("query", [
    "after=x", "after=1", "after=1.", "after=.1", "after=-1.0", "after=1.2.3", "after=",
    "after=99999999999999999999.0", "limit=0", "limit=1001", "next_token=x", "level=error", "q=x",
])
def test_bad_queries(owner, counted, query):
    owner.call(LOGS, 400, path={"run_id": counted["run_id"]}, query=query)


def test_a_cursor_is_bound_to_its_run(owner, counted):
    path = {"run_id": counted["run_id"]}
    token = owner.call(LOGS, 200, path=path, query={"limit": 1}).json["next_token"]
    owner.call(LOGS, 200, path=path, query={"next_token": token})
    owner.call(LOGS, 400, path={"run_id": noop_run(owner)["run_id"]}, query={"next_token": token})
    query = {"next_token": token, "task_run_id": counted["run_id"] + ":a"}
    owner.call(LOGS, 400, path=path, query=query)


def test_standard_error_is_level_error(owner):
    view = run(owner, [shell("a", "echo out; echo err >&2")])
    levels = {item["message"]: item["level"] for item in logs(owner, view["run_id"])}
    assert levels == {"out": "info", "err": "error"}


def test_a_run_without_lines(owner):
    assert logs(owner, noop_run(owner)["run_id"]) == []


def test_lines_of_a_live_run_come_while_it_runs(owner):
    spec = flow([shell("a", "echo first; exec sleep 600")])
    register(owner, spec)
    run_id = trigger(owner, spec["name"])
    items = eventually(lambda: logs(owner, run_id))
    assert messages(items) == ["first"] and get_run(owner, run_id)["status"] == "RUNNING"
    owner.call("POST /runs/{run_id}/cancel", 200, path={"run_id": run_id})


def test_a_long_line_is_cut(owner):
    view = run(owner, [shell("a", "head -c 200000 /dev/zero | tr '\\0' x; echo; echo short")])
    long, short = logs(owner, view["run_id"])
    assert long["message"] == "x" * 65536 and long["truncated"] is True
    assert short["message"] == "short" and short["truncated"] is False


def test_a_line_is_cut_between_characters(owner):
    view = run(owner, [shell("a", "printf x; for i in $(seq 30000); do printf 'é€'; done")])
    line, = logs(owner, view["run_id"])
    assert line["truncated"] and len(line["message"].encode()) in range(65530, 65537)
    assert set(line["message"]) == {"x", "é", "€"}


def test_bytes_that_are_not_text(owner):
    view = run(owner, [shell("a", r"printf 'a\377b\000c\033[1md\r\n\nend'")])
    items = logs(owner, view["run_id"])
    assert [len(item["message"]) > 0 for item in items] == [True, False, True]
    assert items[0]["message"].startswith("a\ufffdb") and "\0" not in items[0]["message"]
    assert items[2]["message"] == "end"


def test_every_attempt_has_its_lines(owner):
    view = run(owner, [shell("a", "echo attempt $DAGY_ATTEMPT; [ $DAGY_ATTEMPT = 3 ]", retries=5)])
    assert view["status"] == "SUCCEEDED"
    found = [(item["attempt"], item["message"]) for item in logs(owner, view["run_id"])]
    assert found == [(i, f"attempt {i}") for i in (1, 2, 3)]


def test_many_lines(owner):
    view = run(owner, [shell("a", "seq 20000"), task("b", depends_on=["a"])])
    path = {"run_id": view["run_id"]}
    found = [line for page in owner.pages(LOGS, 1000, path=path) for line in page]
    assert messages(found) == [str(i) for i in range(1, 20001)]
