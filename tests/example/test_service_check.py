"""The example in YAML: the server's own /health, asked by the command line with and without a server."""

import os
import pathlib
import socket
import subprocess

import pytest

import server as servers

FLOW = pathlib.Path(__file__).resolve().parents[2] / "examples" / "service_check" / "flow.yaml"
RUN_SECONDS = 60


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server that may call itself: its port is known before it starts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    directory = tmp_path_factory.mktemp("service_check")
    with servers.Server(directory, DAGY_PORT=port, DAGY_HTTP_ALLOW=f"localhost:{port}") as started:
        yield started


def dagy(server, *words, status=0, **more):
    environment = {"PATH": os.environ["PATH"], "HOME": str(server.data_dir.parent),
                   "DAGY_URL": f"http://localhost:{server.port}"}
    done = subprocess.run([servers.BINARY, *words], env=environment, capture_output=True, text=True,
                          timeout=RUN_SECONDS, **more)
    assert done.returncode == status, done.stdout + done.stderr
    return done


@pytest.mark.parametrize("load_max, words", [(1e9, '"all is well"\n'),
                                             (-1, '"the machine is busy: look again later"\n')])
@pytest.mark.parametrize("where", ["here", "there"])
def test_what_it_says(server, where, load_max, words):
    url = f"http://localhost:{server.port}/health"
    if where == "there":
        dagy(server, "login", "--email", servers.OWNER, input=servers.PASSWORD + "\n")
        place = ["--server"]
    else:
        place = ["--http-allow", f"localhost:{server.port}"]
    done = dagy(server, "run", *place, str(FLOW), "-p", f"url={url}", "-p", f"load_max={load_max}")
    assert done.stdout == words


def test_a_call_that_is_not_allowed(server):
    done = dagy(server, "run", str(FLOW), "-p", f"url=http://localhost:{server.port}/health", status=1)
    assert "DAGY_HTTP_ALLOW" in done.stderr
