"""Reading flows: lists, filters, cursors, versions."""

import base64

import pytest

from flows import flow, fresh_name, register, task

VERSIONS = "GET /flows/{flow_name}/versions"
VERSION = "GET /flows/{flow_name}/versions/{flow_version}"
LATEST = "GET /flows/{flow_name}/latest"


def names(pages):
    return [item["flow_name"] for page in pages for item in page]


@pytest.fixture(scope="module")
def namespace(owner):
    """A namespace with seven flows of its own, newest last."""
    space = fresh_name("space")
    for i in range(7):
        register(owner, flow([task("a")], name=f"{space}.{i}", namespace=space,
                             tags={"parity": "even" if i % 2 == 0 else "odd", "all": ""}))
    return space


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 1000])
def test_pages_newest_first(owner, namespace, limit):
    pages = list(owner.pages("GET /flows", limit, {"namespace": namespace}))
    assert names(pages) == [f"{namespace}.{i}" for i in reversed(range(7))]
    assert len(pages) == -(-7 // limit)


@pytest.mark.parametrize("tag, count", [
    ("parity", 7), ("parity:even", 4), ("parity:odd", 3), ("parity:", 0), ("all", 7), ("all:", 7),
    ("none", 0), ("parity:Even", 0), ("parity:even:more", 0),
])
def test_filter_by_tag(owner, namespace, tag, count):
    found = names(owner.pages("GET /flows", 2, {"namespace": namespace, "tag": tag}))
    assert len(found) == len(set(found)) == count


def test_filter_by_status(owner, namespace):
    active = names(owner.pages("GET /flows", 3, {"namespace": namespace, "status": "ACTIVE"}))
    assert len(active) == 7
    assert not names(owner.pages("GET /flows", 3, {"namespace": namespace, "status": "INACTIVE"}))


def test_filter_by_an_unknown_namespace(owner):
    assert names(owner.pages("GET /flows", 3, {"namespace": "nowhere"})) == []


def test_a_flow_is_listed_once_with_its_newest_version(owner):
    space = fresh_name("space")
    for i in range(3):
        register(owner, flow([task("a", description=str(i))], name=space, namespace=space))
    items = owner.call("GET /flows", 200, query={"namespace": space}).json["items"]
    assert [(item["flow_name"], item["flow_version"]) for item in items] == [(space, "3")]


@pytest.mark.parametrize("position", ["x", "-1", "1e3", "99999999999999999999", ""])
def test_a_position_that_somebody_made_up(owner, position):
    """The binding of a cursor is no secret; what follows it must be read with care."""
    name = fresh_name("flow")
    for description in ("one", "two"):
        register(owner, flow([task("a")], name=name, description=description))
    token = owner.call(VERSIONS, 200, path={"flow_name": name}, query={"limit": 1}).json["next_token"]
    binding = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))[:16]
    forged = base64.urlsafe_b64encode(binding + position.encode()).decode().rstrip("=")
    owner.call(VERSIONS, 400, path={"flow_name": name}, query={"next_token": forged})


def test_pages_are_stable_under_inserts(owner):
    space = fresh_name("space")
    for i in range(4):
        register(owner, flow([task("a")], name=f"{space}.{i}", namespace=space))
    seen = []
    for number, page in enumerate(owner.pages("GET /flows", 1, {"namespace": space})):
        seen += [item["flow_name"] for item in page]
        register(owner, flow([task("a")], name=f"{space}.new{number}", namespace=space))
        register(owner, flow([task("b")], name=f"{space}.0", namespace=space),
                 201 if number == 0 else 200)
    assert seen == [f"{space}.{i}" for i in (3, 2, 1, 0)]


def first_cursor(client, route, query=None, **more):
    return client.call(route, 200, query=dict(query or {}, limit=1), **more).json["next_token"]


def test_a_cursor_is_bound_to_its_filter(owner, namespace):
    token = first_cursor(owner, "GET /flows", {"namespace": namespace})
    assert token
    for query in ({}, {"namespace": "other"}, {"namespace": namespace, "tag": "all"},
                  {"namespace": namespace, "status": "ACTIVE"}):
        answer = owner.call("GET /flows", 400, query=dict(query, next_token=token))
        assert answer.error_paths == {"/next_token"}
    owner.call("GET /flows", 200, query={"namespace": namespace, "next_token": token, "limit": 5})
    owner.call("GET /flows", 200, query={"next_token": token, "namespace": namespace})


def test_a_cursor_is_bound_to_its_organization_and_list(owner, stranger, namespace):
    token = first_cursor(owner, "GET /flows")
    stranger.call("GET /flows", 400, query={"next_token": token})
    owner.call("GET /runs", 400, query={"next_token": token})
    owner.call(VERSIONS, 400, path={"flow_name": namespace + ".0"}, query={"next_token": token})


def test_versions(owner):
    name = fresh_name("versioned")
    for i in range(5):
        register(owner, flow([task("a", description=str(i))], name=name, version=f"v{i}"))
    path = {"flow_name": name}
    items = [item for page in owner.pages(VERSIONS, 2, path=path) for item in page]
    assert [item["flow_version"] for item in items] == ["v4", "v3", "v2", "v1", "v0"]
    assert owner.call(LATEST, 200, path=path).json["flow_version"] == "v4"
    old = owner.call(VERSION, 200, path=dict(path, flow_version="v1")).json
    assert old["flow_spec"]["tasks"][0]["description"] == "1"
    token = first_cursor(owner, VERSIONS, path=path)
    other = fresh_name("versioned")
    register(owner, flow([task("a")], name=other))
    owner.call(VERSIONS, 400, path={"flow_name": other}, query={"next_token": token})


def test_a_version_that_is_not_there(owner):
    name = fresh_name("versioned")
    register(owner, flow([task("a")], name=name))
    for label in ("2", "latest", "v1", "1 ", "é"):
        owner.call(VERSION, 404, path={"flow_name": name, "flow_version": label})
    for missing in (name.upper(), name + "x", "*", "' OR 1=1", "é"):
        for route in (VERSIONS, LATEST, VERSION):
            owner.call(route, 404, path={"flow_name": missing, "flow_version": "1"})


def test_a_segment_that_cannot_be_decoded(owner):
    headers = {"Authorization": "Bearer " + owner.token}
    for segment in ("%zz", "%", "%00", "%ff"):
        assert owner.request("GET", f"/flows/{segment}/latest", headers).status == 400


def test_a_slash_inside_a_segment(owner):
    owner.call(LATEST, 404, path={"flow_name": "a/latest"})
