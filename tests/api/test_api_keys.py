"""API keys: their life, and what each kind of key may do on every route."""

import datetime
import threading

import pytest

import server as servers
from client import Client, eventually
from conftest import ROLES
from flows import flow, fresh_name, noop_run, register, task
from test_access import IN_AN_ORGANIZATION, PERMISSIONS, ROUTES, body_for, query_for, values_of_paths

CREATE, LIST, DELETE = "POST /api-keys", "GET /api-keys", "DELETE /api-keys/{key_id}"
FOR_PEOPLE = ("POST /auth/logout", "POST /auth/password")


def moment(**from_now):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(**from_now)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z"


def make(client, status=201, **body):
    return client.call(CREATE, status, body={"name": "ci", **body})


def listed(client):
    return [item for page in client.pages(LIST, 1000) for item in page]


# ---- the life of a key ----

def test_make_use_list_delete(owner):
    made = make(owner, scopes=["runs.read"], expires_at=moment(days=1)).json
    assert made["key"].startswith(made["key_prefix"]) and len(made["key"]) > 40
    assert made["key"].startswith("dagy_sk_") and made["scopes"] == ["runs.read"]
    holder = owner.with_token(made["key"])
    assert holder.call("GET /me", 200).json["user_email"] == servers.OWNER
    item = next(item for item in listed(owner) if item["key_id"] == made["key_id"])
    assert "key" not in item and item["expires_at"] == made["expires_at"]
    owner.call(DELETE, 204, path={"key_id": made["key_id"]})
    holder.call("GET /me", 401)
    owner.call(DELETE, 404, path={"key_id": made["key_id"]})
    assert made["key_id"] not in [item["key_id"] for item in listed(owner)]


def test_use_is_noted(owner):
    made = make(owner).json
    find = lambda: next(item for item in listed(owner) if item["key_id"] == made["key_id"])
    assert find()["last_used_at"] is None
    owner.with_token(made["key"]).call("GET /runs", 200)
    assert find()["last_used_at"] >= made["created_at"]


def test_reads_write_nothing_but_the_first(house, owner):
    holder = owner.with_token(make(owner).json["key"])
    holder.call("GET /runs", 200)
    used = [item["last_used_at"] for item in listed(owner)]
    for _ in range(20):
        holder.call("GET /runs", 200)
    assert [item["last_used_at"] for item in listed(owner)] == used


def test_the_key_is_nowhere_at_rest(house, owner):
    secret = make(owner).json["key"]
    assert secret.encode() not in house.server.database.content()
    assert secret not in house.server.log()


@pytest.mark.parametrize("body, path", [
    ({"name": ""}, "/name"), ({"name": "x" * 129}, "/name"), ({"name": None}, "/name"), ({"name": 7}, "/name"),
    ({"scopes": ["runs.fly"]}, "/scopes/0"), ({"scopes": "runs.read"}, "/scopes"), ({"scopes": [1]}, "/scopes/0"),
    ({"expires_at": "2020-01-01T00:00:00.000Z"}, "/expires_at"), ({"expires_at": "soon"}, "/expires_at"),
    ({"unknown": 1}, "/unknown"),
])
def test_bad_fields(owner, body, path):
    assert make(owner, 422, **body).error_paths == {path}


def test_an_expired_key(house, owner):
    made = make(owner, expires_at=moment(seconds=1.2)).json
    holder = owner.with_token(made["key"])
    holder.call("GET /me", 200)
    eventually(lambda: holder.call("GET /me", (200, 401)).status == 401)


@pytest.mark.parametrize("change", [lambda key: key + "A", lambda key: key[:-1], str.upper,
                                    lambda key: key.replace("dagy_sk_", "dagy_"),
                                    lambda key: key.replace("dagy_sk_", "dagy_at_")])
def test_a_changed_key_is_no_key(owner, change):
    owner.with_token(change(make(owner).json["key"])).call("GET /me", 401)


def test_a_key_makes_none_that_is_wider(house, owner):
    narrow = owner.with_token(make(owner, scopes=["api_keys.write", "runs.read"]).json["key"])
    assert make(narrow, scopes=["runs.read"]).json["scopes"] == ["runs.read"]
    assert make(narrow, 403, scopes=["flows.read"]).error_paths == {"/scopes"}
    assert make(narrow, 403).error_paths == {"/scopes"}
    assert make(narrow, 403, scopes=[]).error_paths == {"/scopes"}


def test_runs_and_audit_tell_the_key(house, owner):
    made = make(owner).json
    holder = owner.with_token(made["key"])
    assert noop_run(holder)["created_by"] == servers.OWNER
    name = fresh_name("flow")
    register(holder, flow([task("a")], name=name))
    rows = house.server.database.rows(
        "SELECT actor_email, actor_type, api_key_id FROM audit_log WHERE resource_id = ?", (name,))
    assert [tuple(row) for row in rows] == [(servers.OWNER, "api_key", made["key_id"])]


def test_idempotency_is_the_keys_own(owner):
    spec = flow([task("a")])
    register(owner, spec)
    holders = [owner.with_token(make(owner).json["key"]) for _ in range(2)] + [owner]
    runs = set()
    for holder in holders:
        for _ in range(2):
            answer = holder.call("POST /runs", (200, 202), body={"flow_name": spec["name"]},
                                 headers={"Idempotency-Key": "the-same"})
            runs.add(answer.json["run_id"])
    assert len(runs) == 3


def test_one_of_many_deletes(owner):
    made = make(owner).json
    statuses = []

    def delete():
        statuses.append(owner.call(DELETE, (204, 404), path={"key_id": made["key_id"]}).status)

    threads = [threading.Thread(target=delete) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [204] + [404] * 5


def test_as_many_as_there_may_be(stranger):
    present = len(listed(stranger))
    for _ in range(1000 - present):
        last = make(stranger).json
    make(stranger, 409)
    stranger.call(DELETE, 204, path={"key_id": last["key_id"]})
    make(stranger, 201)
    for item in listed(stranger):
        stranger.call(DELETE, 204, path={"key_id": item["key_id"]})


def test_each_key_has_a_rate_limit_of_its_own(own_server):
    server = own_server(DAGY_RATE_LIMIT_PER_MINUTE=1, DAGY_RATE_LIMIT_BURST=6)
    client = Client(server)
    owner = client.with_token(client.login(servers.OWNER, servers.PASSWORD))
    keys = [owner.with_token(make(owner).json["key"]) for _ in range(2)]
    for holder in keys:
        for left in (5, 4, 3, 2, 1, 0):
            answer = holder.call("GET /me", 200)
            assert answer.headers["X-RateLimit-Remaining"] == str(left)
        holder.call("GET /me", 429)
    # A wrong one counts for the address.
    for _ in range(3):
        owner.with_token("dagy_sk_wrong").call("GET /me", 401)
    owner.call("GET /me", 429)


# ---- every route, role and kind of key ----

class KeyHouse:
    """People of each role, with keys that were made while they were admins."""

    def __init__(self, directory):
        self.server = servers.Server(directory)
        self.server.start()
        assert self.server.stop() == 0
        data_dir = self.server.data_dir
        servers.add_organization(data_dir, "other")
        for role in (*ROLES, "gone"):
            servers.add_user(data_dir, f"{role}@x.test", "default", "owner")
        servers.add_user(data_dir, "owner@other.test", "other", "owner")
        self.server.start()
        nobody = Client(self.server)
        log_in = lambda email: nobody.with_token(nobody.login(email, servers.PASSWORD))
        self.owner = log_in(servers.OWNER)
        self.keys = {role: self.keys_of(log_in(f"{role}@x.test")) for role in ROLES}
        self.invalid = {
            "of one who has left": make(log_in("gone@x.test")).json["key"],
            "deleted": make(self.owner).json,
        }
        self.owner.call(DELETE, 204, path={"key_id": self.invalid["deleted"]["key_id"]})
        self.invalid["deleted"] = self.invalid["deleted"]["key"]
        self.stranger = nobody.with_token(make(log_in("owner@other.test")).json["key"])
        assert self.server.stop() == 0
        for role in ROLES:
            done = servers.admin(data_dir, "grant", f"{role}@x.test", "--org", "default", "--role", role)
            assert done.returncode == 0, done.stderr
        self.server.database.execute(
            "DELETE FROM memberships WHERE user_id = (SELECT user_id FROM users WHERE email = ?)",
            ("gone@x.test",))
        self.server.start()
        for client in (self.owner, self.stranger):
            client.server = self.server

    def keys_of(self, client):
        """By kind: the key, and whether it allows a permission."""
        keys = {"no scopes": (make(client).json["key"], lambda needed: True)}
        for one in PERMISSIONS:
            others = [name for name in PERMISSIONS if name != one]
            keys["only " + one] = (make(client, scopes=[one]).json["key"],
                                   lambda needed, one=one: needed == one)
            keys["all but " + one] = (make(client, scopes=others).json["key"],
                                      lambda needed, one=one: needed != one)
        return keys


@pytest.fixture(scope="module")
def key_house(tmp_path_factory):
    made = KeyHouse(tmp_path_factory.mktemp("keys"))
    yield made
    assert made.server.stop() == 0, made.server.log()


@pytest.fixture(scope="module")
def values(key_house):
    return values_of_paths(key_house.owner)


@pytest.mark.parametrize("route, least_role, status", ROUTES)
def test_every_kind_of_key(key_house, values, route, least_role, status):
    needed = key_house.owner.document.operation(route).get("x-permission")
    for role in ROLES:
        for kind, (key, allows) in key_house.keys[role].items():
            expected = status
            if route in FOR_PEOPLE:
                expected = 403
            elif needed is not None:
                enough = ROLES.index(role) >= ROLES.index(least_role)
                expected = status if enough and allows(needed) else 403
            answer = key_house.owner.with_token(key).call(
                route, expected, path=values, body=body_for(route), query=query_for(route))
            if expected == 403 and needed is not None:
                assert needed in answer.detail, (role, kind)


@pytest.mark.parametrize("route, least_role, status", ROUTES)
def test_keys_that_are_none(key_house, values, route, least_role, status):
    for kind, key in key_house.invalid.items():
        expected = status if least_role == "public" else 401
        key_house.owner.with_token(key).call(route, expected, path=values, body=body_for(route),
                                             query=query_for(route))


@pytest.mark.parametrize("route", IN_AN_ORGANIZATION)
def test_the_key_of_another_organization(key_house, values, route):
    key_house.stranger.call(route, (404, 422), path=values, body=body_for(route))
