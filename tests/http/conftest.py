"""A server, a network and services of its own."""

import subprocess

import pytest

import network
import server as servers
from client import Client
from services import Service

try:
    network.enter()
    REFUSED = None
except OSError as error:
    REFUSED = f"absent here: a network of its own ({error.strerror})"


class World:
    """`public` is at public addresses, `inner` where no flow may go; both at port 80. `allowed` is at
    127.0.0.1:8081, which DAGY_HTTP_ALLOW names."""

    def __init__(self, directory):
        self.names = network.NameServer()
        self.names.names["public.test"] = [[network.PUBLIC, network.PUBLIC_6]]
        self.public = Service([network.PUBLIC, network.PUBLIC_6], 80)
        self.other = Service([network.PUBLIC_2], 80)
        self.inner = Service([*network.INNER, *network.INNER_6], 80)
        self.allowed = Service(["127.0.0.1"], 8081)
        self.authority, certificate = make_certificate(directory, "public.test")
        self.secure = Service([network.PUBLIC, network.PUBLIC_6], 443, certificate)
        self.server = servers.Server(
            directory, DAGY_HTTP_ALLOW="127.0.0.1:8081,named.test:80", DAGY_HTTP_CA_FILE=self.authority,
            http_proxy="http://127.0.0.1:80", https_proxy="http://127.0.0.1:80", ALL_PROXY="http://127.0.0.1:80")
        self.server.start()
        nobody = Client(self.server)
        self.client = nobody.with_token(nobody.login(servers.OWNER, servers.PASSWORD))

    def forget(self):
        self.names.asked.clear()
        for each in (self.public, self.other, self.inner, self.allowed, self.secure):
            each.forget()


def make_certificate(directory, name):
    """The files of an authority, and of a certificate and a key of `name` signed by it."""
    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=directory, check=True, capture_output=True)
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *curve, "-subj", "/CN=Test authority", "-keyout", "ca.key", "-out", "ca.pem",
            "-addext", "basicConstraints=critical,CA:TRUE")
    openssl("req", *curve, "-subj", f"/CN={name}", "-keyout", "server.key", "-out", "server.csr")
    (directory / "names").write_text(f"subjectAltName=DNS:{name}\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-extfile", "names", "-out", "server.pem")
    return directory / "ca.pem", (directory / "server.pem", directory / "server.key")


@pytest.fixture(scope="session")
def the_world(tmp_path_factory):
    if REFUSED:
        pytest.skip(REFUSED)
    made = World(tmp_path_factory.mktemp("world"))
    yield made
    assert made.server.stop() == 0, made.server.log()


@pytest.fixture
def world(the_world):
    the_world.forget()
    return the_world


@pytest.fixture
def owner(world):
    return world.client
