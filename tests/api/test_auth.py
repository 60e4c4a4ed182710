"""Login, logout, password, /me, /users/me."""

import pytest

import server as servers
from client import Client, eventually
from server import OWNER, PASSWORD


def refusal(client, status, email, password, **more):
    body = {"email": email, "password": password, **more}
    return client.call("POST /auth/login", status, body=body)


def test_login_gives_a_token(nobody):
    answer = nobody.call("POST /auth/login", 200, body={"email": OWNER, "password": PASSWORD})
    assert answer.json["access_token"].startswith("dagy_at_")
    assert answer.json["token_type"] == "Bearer"
    assert answer.json["expires_at"] > "2026"


def test_email_is_compared_without_case(nobody):
    nobody.login(OWNER.upper(), PASSWORD)


def test_unknown_email_and_wrong_password_look_alike(nobody):
    wrong = refusal(nobody, 401, "viewer@default.test", "not the password")
    unknown = refusal(nobody, 401, "nobody@default.test", "not the password")
    foreign = refusal(nobody, 401, "viewer@default.test", PASSWORD, org_id="org_of_someone_else")
    assert wrong.body == unknown.body == foreign.body
    names = [set(each.headers.keys()) for each in (wrong, unknown, foreign)]
    assert names[0] == names[1] == names[2]


@pytest.mark.parametrize("body, path", [
    ({}, "/email"),
    ({"email": OWNER}, "/password"),
    ({"password": PASSWORD}, "/email"),
    ({"email": 1, "password": PASSWORD}, "/email"),
    ({"email": "no address", "password": PASSWORD}, "/email"),
    ({"email": "a@" + "b" * 300, "password": PASSWORD}, "/email"),
    ({"email": OWNER, "password": ["x"]}, "/password"),
    ({"email": OWNER, "password": ""}, "/password"),
    ({"email": OWNER, "password": "x" * 1025}, "/password"),
    ({"email": OWNER, "password": None}, "/password"),
    ({"email": OWNER, "password": PASSWORD, "org_id": 7}, "/org_id"),
    ({"email": OWNER, "password": PASSWORD, "otp": "1"}, "/otp"),
])
def test_bad_form(nobody, body, path):
    assert path in nobody.call("POST /auth/login", 422, body=body).error_paths


def test_of_two_memberships_org_id_chooses(nobody, house):
    email = "both@example.test"
    oldest = nobody.with_token(nobody.login(email, PASSWORD)).call("GET /me", 200).json
    assert oldest["role"] == "viewer" and oldest["org_id"] != house.other_org
    token = nobody.login(email, PASSWORD, org_id=house.other_org)
    chosen = nobody.with_token(token).call("GET /me", 200).json
    assert chosen == {"user_email": email, "org_id": house.other_org, "role": "admin"}


def test_me_and_profile(house):
    for role in ("viewer", "developer", "admin"):
        me = house.clients[role].call("GET /me", 200).json
        profile = house.clients[role].call("GET /users/me", 200).json
        assert me["user_email"] == profile["user_email"] == f"{role}@default.test"
        assert me["role"] == profile["role"] == role
        assert me["org_id"] == profile["org_id"]
        assert profile["super_admin"] is False
    owner = house.clients["owner"].call("GET /users/me", 200).json
    assert owner["super_admin"] is True and owner["org_name"] == "Default"
    stranger = house.clients["stranger"].call("GET /users/me", 200).json
    assert stranger["org_id"] == house.other_org and stranger["super_admin"] is False


def test_logout_ends_this_token_only(house):
    first, second = house.log_in("viewer@default.test"), house.log_in("viewer@default.test")
    first.call("GET /me", 200)
    second.call("GET /me", 200)
    assert first.call("POST /auth/logout", 204).body == b""
    first.call("GET /me", 401)
    first.call("POST /auth/logout", 401)
    second.call("GET /me", 200)


def test_logout_takes_no_body_but_an_empty_object(house):
    client = house.log_in("viewer@default.test")
    client.call("POST /auth/logout", 422, body={"everywhere": True})
    client.call("POST /auth/logout", 422, body=[])
    client.call("POST /auth/logout", 204, body={})


def test_password_change(own_server, tmp_path):
    with servers.Server(tmp_path):
        pass  # makes the owner
    servers.add_user(tmp_path / "data", "p@default.test", "default", "viewer")
    nobody = Client(own_server())
    one, two = (nobody.with_token(nobody.login("p@default.test", PASSWORD)) for _ in range(2))
    new = "another long password"

    def change(client, status, **body):
        return client.call("POST /auth/password", status, body=body)

    wrong = change(one, 422, current_password="not the present one", new_password=new)
    assert wrong.error_paths == {"/current_password"}
    short = change(one, 422, current_password=PASSWORD, new_password="too short")
    assert short.error_paths == {"/new_password"}
    missing = change(one, 422)
    assert missing.error_paths == {"/current_password", "/new_password"}
    one.call("GET /me", 200)
    change(nobody, 401, current_password=PASSWORD, new_password=new)
    change(one, 204, current_password=PASSWORD, new_password=new)
    one.call("GET /me", 401)
    two.call("GET /me", 401)
    refusal(nobody, 401, "p@default.test", PASSWORD)
    nobody.login("p@default.test", new)


def test_one_time_password_of_the_first_start(own_server):
    server = own_server(DAGY_OWNER_PASSWORD="", DAGY_OWNER_EMAIL="first@example.test")
    printed = dict(line.split(": ", 1) for line in server.greeting if ": " in line)
    assert printed["Owner"] == "first@example.test"
    once = printed["One-time password"]
    nobody = Client(server)
    client = nobody.with_token(nobody.login("first@example.test", once))
    client.call("POST /auth/password", 204,
                body={"current_password": once, "new_password": PASSWORD})
    client.call("GET /me", 401)
    refusal(nobody, 401, "first@example.test", once)
    nobody.login("first@example.test", PASSWORD)
    assert server.stop() == 0
    server.start()
    assert not any("password" in line for line in server.greeting)
    assert once not in server.log()


def test_an_expired_token_is_unknown(own_server):
    nobody = Client(own_server(DAGY_ACCESS_TOKEN_TTL_SECONDS="1"))
    client = nobody.with_token(nobody.login(OWNER, PASSWORD))
    assert eventually(lambda: client.call("GET /me", (200, 401)).status == 401)
    client.call("POST /auth/logout", 401)


def count_until_slowed(attempt):
    """How many failures are free before an attempt is told to wait."""
    for failures in range(20):
        if attempt(f"guess number {failures}").status == 429:
            return failures
    raise AssertionError("never slowed")


def test_failed_logins_must_wait(nobody):
    email = "guessed@default.test"
    assert count_until_slowed(lambda guess: refusal(nobody, (401, 429), email, guess)) >= 5
    # Another account from the same address is not slowed.
    nobody.login("viewer@default.test", PASSWORD)


def test_wrong_present_passwords_must_wait(house):
    client = house.log_in("guesser@default.test")

    def attempt(guess):
        body = {"current_password": guess, "new_password": "another long password"}
        return client.call("POST /auth/password", (422, 429), body=body)

    assert count_until_slowed(attempt) >= 5
