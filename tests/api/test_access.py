"""Who may call what: credentials, roles, organizations. The table is every route of the API."""

import pytest

from conftest import ROLES
from flows import flow, fresh_name, get_run, noop_run, register

# Route, least role (None: anyone signed in, "public": no credential), status of a proper call.
ROUTES = [
    ("POST /auth/login", "public", 422),
    ("POST /auth/logout", None, 422),
    ("POST /auth/password", None, 422),
    ("GET /me", None, 200),
    ("GET /users/me", None, 200),
    ("POST /flows", "developer", 422),
    ("GET /flows", "viewer", 200),
    ("GET /flows/{flow_name}/versions", "viewer", 200),
    ("GET /flows/{flow_name}/latest", "viewer", 200),
    ("GET /flows/{flow_name}/versions/{flow_version}", "viewer", 200),
    ("GET /flows/backends", "viewer", 200),
    ("DELETE /flows/{flow_name}/versions/{flow_version}", "developer", 409),
    ("POST /flows/{flow_name}/deploy", "developer", 422),
    ("POST /deployments", "developer", 422),
    ("GET /deployments", "viewer", 200),
    ("POST /deployments/{deployment_name}/rollback", "developer", 409),
    ("PUT /deployments/{deployment_name}/version", "developer", 422),
    ("DELETE /deployments/{deployment_name}", "developer", 400),
    ("PATCH /workflows/{workflow_id}", "developer", 200),
    ("POST /connections", "admin", 422),
    ("GET /connections", "developer", 200),
    ("GET /connections/{connection_id}", "developer", 200),
    ("PATCH /connections/{connection_id}", "admin", 200),
    ("POST /connections/{connection_id}/test", "admin", 200),
    ("DELETE /connections/{connection_id}", "admin", 400),
    ("POST /api-keys", "admin", 422),
    ("GET /api-keys", "admin", 200),
    ("DELETE /api-keys/{key_id}", "admin", 404),
    ("POST /runs", "developer", 422),
    ("GET /runs", "viewer", 200),
    ("GET /runs/{run_id}", "viewer", 200),
    ("POST /runs/{run_id}/cancel", "developer", 409),
    ("GET /runs/{run_id}/logs", "viewer", 200),
    ("GET /runs/{run_id}/tasks", "viewer", 200),
    ("GET /runs/{run_id}/why", "viewer", 200),
    ("GET /runs/{run_id}/events", "viewer", 200),
    ("POST /runs/{run_id}/pause", "developer", 409),
    ("POST /runs/{run_id}/resume", "developer", 409),
    ("POST /runs/{run_id}/rerun", "developer", 422),
    ("POST /runs/{run_id}/tasks/{task_run_id}/decision", "developer", 422),
    ("GET /approvals", "viewer", 200),
    ("POST /runs/cancel", "developer", 422),
    ("POST /runs/rerun", "developer", 422),
    ("GET /run-failures", "viewer", 200),
    ("POST /run-failures/{fingerprint}/redrive", "developer", 404),
    ("GET /runs/search", "viewer", 400),
    ("GET /runs/stats", "viewer", 200),
    ("GET /runs/{run_id}/artifacts", "viewer", 200),
    ("GET /downloads/{sha256}/{filename}", "public", 403),
    ("POST /artifacts/multipart/initiate", "developer", 422),
    ("PUT /artifacts/parts/{upload_id}/{part_number}", "public", 403),
    ("POST /artifacts/multipart/complete", "developer", 422),
    ("POST /artifacts/multipart/abort", "developer", 422),
    ("GET /health", "public", 200),
    ("GET /health/live", "public", 200),
    ("GET /openapi.json", "public", 200),
    ("GET /docs", "public", 200),
]
PROTECTED = [row for row in ROUTES if row[1] != "public"]
IN_AN_ORGANIZATION = [route for route, *_ in PROTECTED if "{" in route]
PERMISSIONS = {
    "flows.read": "viewer", "runs.read": "viewer",
    "flows.write": "developer", "runs.write": "developer", "runs.trigger": "developer",
    "approvals.decide": "developer",
    "api_keys.read": "admin", "api_keys.write": "admin",
    "connections.read": "developer", "connections.write": "admin",
}


def values_of_paths(owner):
    """A flow with a version, a deployment and a finished run, as values for any route."""
    run = noop_run(owner)
    named = {"flow_name": run["flow_name"]}
    name = fresh_name("deployment")
    owner.call("POST /deployments", 201, body={"deployment_name": name, **named})
    workflow = owner.call("GET /flows/{flow_name}/latest", 200, path=named).json["workflow_id"]
    connection = owner.call("POST /connections", 201, body={
        "name": name, "type": "postgresql", "host": "127.0.0.1", "database": "d", "user": "u"}).json
    return {"connection_id": connection["connection_id"], "deployment_name": name, "workflow_id": workflow, "flow_name": run["flow_name"], "flow_version": run["flow_version"],
            "run_id": run["run_id"], "task_run_id": "only", "fingerprint": "0123456789abcdef",
            "key_id": "key_that_is_none", "upload_id": "up_no", "part_number": "1", "sha256": "0" * 64, "filename": "a.json"}


@pytest.fixture(scope="module")
def path(owner):
    return values_of_paths(owner)


def body_for(route):
    """Readable, but of no effect."""
    if route in ("POST /auth/logout", "POST /runs/{run_id}/rerun"):
        return {"unknown": 1}
    return {} if route.startswith(("POST", "PUT", "PATCH")) else None


def query_for(route):
    """A refusal of what would otherwise be gone."""
    gone = ("DELETE /deployments/{deployment_name}", "DELETE /connections/{connection_id}")
    return {"unknown": 1} if route in gone else None


def test_the_table_is_the_document(nobody):
    document = nobody.document
    assert sorted(route for route, *_ in ROUTES) == sorted(document.routes())
    for route, least_role, _ in ROUTES:
        operation = document.operation(route)
        permission = operation.get("x-permission")
        assert PERMISSIONS.get(permission) == (least_role if least_role in ROLES else None), route
        assert operation["security"] == ([] if least_role == "public" else [{"bearer": []}]), route


@pytest.mark.parametrize("route, least_role, status", ROUTES)
def test_roles(house, path, route, least_role, status):
    for role in ROLES:
        enough = least_role not in ROLES or ROLES.index(role) >= ROLES.index(least_role)
        answer = house.clients[role].call(route, status if enough else 403, path=path,
                                          body=body_for(route), query=query_for(route))
        if not enough:
            assert role in answer.detail


@pytest.mark.parametrize("route, least_role, status", ROUTES)
def test_no_token(nobody, path, route, least_role, status):
    expected = status if least_role == "public" else 401
    nobody.call(route, expected, path=path, body=body_for(route))


@pytest.mark.parametrize("header", [
    "", "Bearer", "Bearer ", "Basic b3duZXI6b3duZXI=", "dagy_at_x", "Bearer dagy_at_",
    "Bearer dagy_at_" + "A" * 43, "Bearer dagy_sk_" + "A" * 43, "Bearer a.b.c",
    "Bearer \xff\xfe", "Bearer " + "x" * 20_000,
])
@pytest.mark.parametrize("route, least_role, status", PROTECTED[:3] + PROTECTED[7:9])
def test_useless_credentials(nobody, path, route, least_role, status, header):
    nobody.call(route, 401, path=path, body=body_for(route), headers={"Authorization": header})


def test_a_token_with_something_added_is_another_token(owner):
    for token in (owner.token + "A", owner.token + " ", " " + owner.token, owner.token[:-1],
                  owner.token.upper()):
        answer = owner.request("GET", "/me", {"Authorization": "Bearer " + token})
        # Space around a header's value is no part of it.
        assert answer.status == (200 if token == owner.token + " " else 401), token


@pytest.mark.parametrize("route", IN_AN_ORGANIZATION)
def test_another_organization_sees_nothing(stranger, path, route):
    body = {"POST /runs/{run_id}/rerun": {},
            "POST /runs/{run_id}/tasks/{task_run_id}/decision": {"decision": "approve"},
            "POST /flows/{flow_name}/deploy": {"deployment_name": "d"},
            "PUT /deployments/{deployment_name}/version": {"flow_version": "1"}}.get(route, body_for(route))
    answer = stranger.call(route, 404, path=path, body=body)
    missing = path | {"connection_id": "con_no", "deployment_name": "no_such", "workflow_id": "wf_no", "flow_name": "no_such_flow", "run_id": path["run_id"][:-1] + "z"}
    same = stranger.call(route, 404, path=missing, body=body)
    assert answer.json.keys() == same.json.keys()


def test_another_organization_lists_and_runs_nothing_of_ours(stranger, owner, path):
    flows = [item for page in stranger.pages("GET /flows", 1000) for item in page]
    assert path["flow_name"] not in [item["flow_name"] for item in flows]
    runs = [item for page in stranger.pages("GET /runs", 1000) for item in page]
    assert path["run_id"] not in [item["run_id"] for item in runs]
    stranger.call("POST /runs", 404, body={"flow_name": path["flow_name"]})


def test_two_organizations_may_use_one_name(stranger, owner):
    name = fresh_name("shared")
    ours = register(owner, flow([{"id": "a", "type": "noop"}], name=name)).json
    theirs = register(stranger, flow([{"id": "b", "type": "noop"}], name=name)).json
    assert ours["org_id"] != theirs["org_id"]
    assert ours["flow_version"] == theirs["flow_version"] == "1"
    latest = owner.call("GET /flows/{flow_name}/latest", 200, path={"flow_name": name}).json
    assert latest["flow_spec"]["tasks"][0]["id"] == "a"


def test_a_run_belongs_to_the_one_who_started_it(house, path):
    developer = house.clients["developer"]
    run = noop_run(developer)
    assert run["created_by"] == "developer@default.test"
    assert get_run(house.clients["viewer"], run["run_id"])["created_by"] == run["created_by"]
