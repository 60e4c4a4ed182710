"""One server for most tests: two organizations, every role, no rate limit."""

import pytest

import server as servers
from client import Client

ROLES = ("viewer", "developer", "admin", "owner")


class House:
    """The shared server and its people."""

    def __init__(self, directory):
        self.server = servers.Server(directory)
        self.server.start()  # makes the first organization and its owner
        assert self.server.stop() == 0
        data_dir = self.server.data_dir
        self.other_org = servers.add_organization(data_dir, "other")
        for role in ROLES[:-1]:
            servers.add_user(data_dir, f"{role}@default.test", "default", role)
        servers.add_user(data_dir, "guesser@default.test", "default", "viewer")
        servers.add_user(data_dir, "owner@other.test", "other", "owner")
        servers.add_user(data_dir, "both@example.test", "default", "viewer")
        servers.add_user(data_dir, "both@example.test", "other", "admin")
        self.server.start()
        self.nobody = Client(self.server)
        self.clients = {role: self.log_in(f"{role}@default.test") for role in ROLES[:-1]}
        self.clients["owner"] = self.log_in(servers.OWNER)
        self.clients["stranger"] = self.log_in("owner@other.test")

    def log_in(self, email, **more):
        return self.nobody.with_token(self.nobody.login(email, servers.PASSWORD, **more))


@pytest.fixture(scope="session")
def house(tmp_path_factory):
    made = House(tmp_path_factory.mktemp("house"))
    yield made
    assert made.server.stop() == 0, made.server.log()


@pytest.fixture(scope="session")
def nobody(house):
    """A client without a credential."""
    return house.nobody


@pytest.fixture(scope="session")
def viewer(house):
    return house.clients["viewer"]


@pytest.fixture(scope="session")
def developer(house):
    return house.clients["developer"]


@pytest.fixture(scope="session")
def owner(house):
    return house.clients["owner"]


@pytest.fixture(scope="session")
def stranger(house):
    """The owner of another organization."""
    return house.clients["stranger"]


@pytest.fixture
def own_server(tmp_path):
    """Makes servers of the test's own, stopped at its end."""
    made = []

    def make(directory=tmp_path, **settings):
        made.append(servers.Server(directory, **settings))
        return made[-1].start()

    yield make
    for each in made:
        if each.process and each.process.poll() is None:
            assert each.stop() == 0, each.log()
