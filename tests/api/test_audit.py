"""Every mutation leaves one audit record; a read and a refusal leave none."""

import server as servers
from client import Client, eventually
from flows import flow, get_run, register, run_flow, shell, task, trigger
from server import OWNER, PASSWORD

COLUMNS = ("org_id", "actor_email", "actor_type", "action", "resource_type", "resource_id",
           "http_method", "http_path", "status_code", "ip")


def audit_rows(server):
    """The records of a stopped server, oldest first."""
    rows = server.database.rows(f"SELECT {', '.join(COLUMNS)} FROM audit_log ORDER BY created_at")
    return [dict(zip(COLUMNS, row)) for row in rows]


def test_records(own_server):
    server = own_server()
    nobody = Client(server)
    client = nobody.with_token(nobody.login(OWNER, PASSWORD))
    me = client.call("GET /me", 200).json
    spec = flow([shell("a", "echo there; exec sleep 600")])
    register(client, spec)
    register(client, spec, 200)  # changes nothing
    run_id = trigger(client, spec["name"])
    path = {"run_id": run_id}
    client.call("POST /runs/{run_id}/cancel", 200, path=path, body={"reason": "r"})
    eventually(lambda: get_run(client, run_id)["finished_at"])
    refusals = [("POST /auth/login", 401, {"email": OWNER, "password": "wrong password"}),
                ("POST /flows", 422, {}), ("POST /flows", 409, {"flow_spec": dict(
                    spec, version="1", tasks=[task("other")])}),
                ("POST /auth/password", 422, {})]
    for route, status, body in refusals:
        client.call(route, status, body=body)
    client.call("POST /runs/{run_id}/cancel", 409, path=path)
    change = {"current_password": PASSWORD, "new_password": "another long password"}
    client.call("POST /auth/password", 204, body=change)
    client = nobody.with_token(nobody.login(OWNER, change["new_password"]))
    client.call("POST /auth/logout", 204)
    assert server.stop() == 0

    rows = audit_rows(server)
    assert [(row["action"], row["resource_type"], row["status_code"]) for row in rows] == [
        ("auth.login", "user", 200), ("flow.register", "flow", 201), ("run.cancel", "run", 200),
        ("auth.password", "user", 204), ("auth.login", "user", 200), ("auth.logout", "user", 204)]
    assert {row["org_id"] for row in rows} == {me["org_id"]}
    assert {row["actor_email"] for row in rows} == {OWNER}
    assert {row["actor_type"] for row in rows} == {"user"}
    assert {row["ip"] for row in rows} == {"127.0.0.1"}
    routes = [f"{row['http_method']} {row['http_path']}" for row in rows]
    assert routes == ["POST /auth/login", "POST /flows", "POST /runs/{run_id}/cancel",
                      "POST /auth/password", "POST /auth/login", "POST /auth/logout"]
    assert rows[1]["resource_id"] == spec["name"] and rows[2]["resource_id"] == run_id


def test_offline_commands_are_recorded(own_server, tmp_path):
    server = own_server()
    assert server.stop() == 0
    org_id = servers.add_organization(server.data_dir, "second")
    servers.add_user(server.data_dir, "u@default.test", "second", "viewer")
    granted = servers.admin(server.data_dir, "grant", "u@default.test", "--org", "second", "--role",
                            "admin")
    assert granted.returncode == 0
    refused = servers.admin(server.data_dir, "org", "add", "second")
    assert refused.returncode != 0
    rows = audit_rows(server)
    assert [(row["action"], row["org_id"], row["actor_type"]) for row in rows] == [
        ("organization.create", org_id, "system"), ("user.add", org_id, "system"),
        ("user.grant", org_id, "system")]


def test_nothing_secret_is_stored_in_clear(own_server):
    server = own_server()
    nobody = Client(server)
    client = nobody.with_token(nobody.login(OWNER, PASSWORD))
    register(client, flow([task("a")], "plain"))
    run_flow(client, "plain")
    assert server.stop() == 0
    stored = {path: path.read_bytes() for path in server.data_dir.rglob("*") if path.is_file()}
    stored["database"] = server.database.content()
    assert OWNER.encode() in stored["database"]
    for place, content in stored.items():
        for secret in (PASSWORD, client.token, *server.database.secrets):
            assert secret.encode() not in content, place
