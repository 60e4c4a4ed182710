"""login, logout, config; what is kept where."""

import json
import os
import stat

import server as servers


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_login_keeps_a_credential_for_its_owner_alone(stranger, server):
    assert "dagy login" in stranger("whoami", code=3)
    done = stranger.raw("login", "--email", servers.OWNER, stdin=servers.PASSWORD.encode() + b"\n")
    assert done.returncode == 0, done.stderr
    assert servers.PASSWORD.encode() not in done.stdout + done.stderr
    assert mode(stranger.config) == 0o600 and mode(stranger.config.parent) == 0o700
    assert servers.OWNER in stranger("whoami")
    profiles = json.loads(stranger("config", "list", "--output", "json"))["items"]
    assert profiles[0]["url"] == server.url and profiles[0]["has_credential"]
    assert "dagy_at_" not in stranger("config", "list", "-o", "yaml")
    stranger("logout")
    assert "no credential" in stranger("whoami", code=3)
    assert "has no credential" in stranger("logout", code=2)


def test_wrong_password(stranger):
    login = ("login", "--email", servers.OWNER)
    stranger(*login, stdin="wrong wrong wrong\n", code=3)
    assert not stranger.config.exists()
    assert "no password" in stranger(*login, code=2)
    (stranger.home / "password").write_text(servers.PASSWORD + "\n")
    stranger(*login, "--password-file", "password")
    assert "No such file" in stranger(*login, "--password-file", "absent", code=2)


def test_login_on_a_terminal(stranger):
    shown = stranger.on_terminal("login", typed=["", servers.PASSWORD])
    assert "e-mail [owner@localhost]: " in shown and "password: " in shown
    assert servers.PASSWORD not in shown and "logged in at" in shown
    stranger.on_terminal("login", typed=["x@y.test", "wrong wrong wrong"], code=3)


def test_a_password_is_no_argument(stranger):
    assert "--password" in stranger("login", "--password", "x", code=2)


def test_api_key_as_credential(cli, tmp_path):
    made = json.loads(cli("keys", "create", "--name", "of a test", "-o", "json"))
    key = next(value for value in made.values() if str(value).startswith("dagy_sk_"))
    cli("login", "--profile", "machine", "--with-token", stdin=key + "\n")
    assert servers.OWNER in cli("whoami", "--profile", "machine")
    assert servers.OWNER in cli("whoami", variables={"HOME": str(tmp_path / "tmp"),
                                                     "DAGY_TOKEN": key})
    cli("login", "--with-token", stdin="dagy_sk_wrong\n", code=3)


def test_a_token_goes_to_its_own_server_only(cli, own_server):
    other, _ = own_server
    assert "no credential" in cli("whoami", "--url", f"http://localhost:{other.port}", code=3)
    cli("config", "set", "url", f"http://localhost:{other.port}")
    del cli.variables["DAGY_URL"]
    assert "no credential" in cli("whoami", code=3)


def test_profiles(cli, server):
    cli("config", "set", "url", server.url + "/", "--profile", "second")
    assert cli("config", "get", "url", "--profile", "second") == server.url + "\n"
    cli("config", "get", "email", "--profile", "second", code=5)
    cli("config", "use", "second")
    assert "second" in json.loads(cli("config", "list", "-o", "json"))["items"][1]["profile"]
    cli("config", "use", "absent", code=5)
    assert "there is no profile 'absent'" in cli("whoami", "--profile", "absent", code=2)
    assert "dagy login" in cli("config", "set", "token", "x", code=2)
    assert "must be one of" in cli("config", "get", "colour", code=2)
    assert "no address" in cli("config", "set", "url", "localhost:8000", code=2)
    assert "--profile must" in cli("config", "set", "url", server.url, "--profile", "a/b", code=2)


def test_config_that_others_may_read_is_refused(cli):
    cli.config.chmod(0o644)
    text = cli("whoami", code=3)
    assert "others may read it" in text and "chmod 600" in text
    cli.config.chmod(0o600)
    cli("whoami")


def test_broken_config(cli):
    for text, message in (("current: [", "line 2"), ("profiles: {a: {urll: x}}", "/profiles/a/urll"),
                          ("current: ''", "/current"), ("- 1", "must be an object"),
                          ("\0", "line 1")):
        cli.config.write_text(text)
        shown = cli("whoami", code=2)
        assert str(cli.config) in shown and message in shown, shown
    cli.config.unlink()
    cli.config.mkdir(mode=0o700)
    assert "directory" in cli("whoami", code=2)


def test_no_home(stranger):
    variables = {"HOME": ""}
    assert "HOME is not set" in stranger("whoami", code=2, variables=variables)
    assert stranger("version", variables=variables).startswith("dagy ")
    assert os.path.exists(stranger.home)
