"""A server where the kernel allows no namespaces."""

import shutil

import pytest

import server as servers
from client import Client

# A user namespace that forbids further ones. Root in it has one user id alone.
FORBIDDEN = ["unshare", "--user", "--map-root-user", "sh", "-c",
             'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"', "sh"]


@pytest.fixture
def command(tmp_path):
    if not shutil.which("unshare"):
        pytest.skip("absent here: unshare")
    return [*FORBIDDEN, servers.BINARY]


def test_says_so_and_refuses_a_second_organization(tmp_path, command):
    server = servers.Server(tmp_path, command=command)
    try:
        server.start()
    except AssertionError:
        pytest.skip("absent here: user namespaces, to forbid them in")
    client = Client(server)
    client = client.with_token(client.login(servers.OWNER, servers.PASSWORD))
    health = client.call("GET /health", 200).json
    assert health["status"] == "degraded"
    isolation, = [each for each in health["components"] if each["name"] == "isolation"]
    assert isolation["status"] == "degraded" and "not isolated" in isolation["message"]
    assert "tasks are not isolated" in server.log()
    spec = {"name": "one", "tasks": [{"id": "a", "type": "shell", "config": {"command": "echo 1"}}]}
    client.call("POST /flows", 201, body={"flow_spec": spec})
    run = client.call("POST /runs", 200, body={"flow_name": "one", "wait_seconds": 30}).json
    assert run["status"] == "SUCCEEDED"
    assert server.stop() == 0
    refused = servers.admin(server.data_dir, "org", "add", "second", command=command,
                            DAGY_ALLOW_UNISOLATED="")
    assert refused.returncode != 0 and "DAGY_ALLOW_UNISOLATED" in refused.stderr
    allowed = servers.admin(server.data_dir, "org", "add", "second", command=command)
    assert allowed.returncode == 0, allowed.stderr


@pytest.mark.parametrize("paths, word", [
    ("relative", "absolute"), ("/no/such", "exists"), ("/etc/passwd", "directory"),
    ("/", "whole"), ("{data}", "data directory"), ("{data}/work", "data directory"),
    (":".join(["/usr"] * 65), "64")])
def test_bad_allowed_paths(tmp_path, paths, word):
    (tmp_path / "data" / "work").mkdir(parents=True)
    server = servers.Server(tmp_path, DAGY_ALLOWED_PATHS=paths.format(data=tmp_path / "data"))
    with pytest.raises(AssertionError, match="DAGY_ALLOWED_PATHS"):
        server.start()
    assert word in server.log()
    assert server.wait() == 2
