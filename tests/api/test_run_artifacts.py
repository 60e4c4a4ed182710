"""Large values of a run, to be downloaded by signed URLs."""

import hashlib
import json
import urllib.parse

import pytest

from client import eventually
from flows import flow, get_run, python, register, run, run_flow, task, trigger

LIST = "GET /runs/{run_id}/artifacts"
DOWNLOAD = "GET /downloads/{sha256}/{filename}"
LARGE = "def main(n=1, **rest): return 'x' * (n * 100_000)"


def artifacts(client, run_id):
    return client.call(LIST, 200, path={"run_id": run_id}).json["items"]


def address(url):
    parsed = urllib.parse.urlsplit(url)
    *_, sha256, filename = parsed.path.split("/")
    return {"sha256": sha256, "filename": filename}, dict(urllib.parse.parse_qsl(parsed.query))


@pytest.fixture(scope="module")
def large_run(owner):
    """Two large outputs, one of an element of a mapped task, and a small one; large parameters."""
    spec = flow([python("one", LARGE), task("small", depends_on=["one"]),
                 python("each", LARGE, map_over={"literal": [1]}, depends_on=["small"])],
                parameters=[{"name": "p", "type": "string"}])
    register(owner, spec)
    done = run_flow(owner, spec["name"], parameters={"p": "y" * 70_000})
    assert done["status"] == "SUCCEEDED", done
    return done


def test_large_values_are_listed_and_downloaded(owner, nobody, large_run):
    items = artifacts(owner, large_run["run_id"])
    assert {item["name"] for item in items} >= {"parameters.json", "output-one.json", "output-each-0.json"}
    values = {"parameters.json": {"p": "y" * 70_000}}
    for item in items:
        path, query = address(item["download_url"])
        answer = nobody.call(DOWNLOAD, 200, path=path, query=query)
        assert len(answer.body) == item["bytes"]
        assert hashlib.sha256(answer.body).hexdigest() == item["sha256"]
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{item["name"]}"'
        if item["name"] in values:
            assert json.loads(answer.body) == values[item["name"]]


def test_pages(owner, large_run):
    path = {"run_id": large_run["run_id"]}
    pages = list(owner.pages(LIST, 1, path=path))
    assert [item["name"] for page in pages for item in page] == \
        [item["name"] for item in artifacts(owner, large_run["run_id"])]
    assert all(len(page) == 1 for page in pages)


def test_a_run_of_small_values_has_none(owner):
    assert artifacts(owner, run(owner, [task("a")])["run_id"]) == []


def test_what_is_signed_cannot_be_changed(owner, nobody, large_run):
    first, second = artifacts(owner, large_run["run_id"])[:2]
    path, query = address(first["download_url"])
    other, _ = address(second["download_url"])
    last = query["signature"][-1]
    for place, signed in [
            (path | {"filename": "evil.html"}, query), (path | {"sha256": other["sha256"]}, query),
            (path, query | {"expires": str(int(query["expires"]) + 1)}), (path, None),
            (path, query | {"signature": query["signature"][:-1] + ("0" if last != "0" else "1")})]:
        nobody.call(DOWNLOAD, 403, path=place, query=signed)
    owner.call(DOWNLOAD, 403, path=path)  # a token is no signature


def test_a_run_of_somebody_else(stranger, large_run):
    stranger.call(LIST, 404, path={"run_id": large_run["run_id"]})


def test_a_run_under_way(owner):
    spec = flow([python("a", LARGE), task("wait", "approval", {"message": "go on?"}, depends_on=["a"])])
    register(owner, spec)
    run_id = trigger(owner, spec["name"])
    assert eventually(lambda: artifacts(owner, run_id))[0]["name"] == "output-a.json"
    owner.call("POST /runs/{run_id}/cancel", 200, path={"run_id": run_id})
    assert get_run(owner, run_id)["run_id"] == run_id
