import contextlib
import os

import pytest

from cluster import Cluster
from gate import Gate
from node import Database, Node


@pytest.fixture
def seed():
    """Shown when a test fails, so that its choices can be made again."""
    value = int(os.environ.get("DAGY_FAULT_SEED", "1"))
    print(f"DAGY_FAULT_SEED={value}")
    return value


@pytest.fixture(scope="module")
def cluster():
    """Of the tests of one file: they may stop it, and leave it running."""
    with Cluster() as made:
        yield made


@pytest.fixture
def database(cluster):
    """Empty; the servers on it end before it."""
    made = Database(cluster)
    yield made
    if cluster.process is None:  # a test that failed left it stopped
        cluster.start()
    cluster.drop_database(made.name)


@pytest.fixture
def gate(database):
    with Gate.to(database.url) as made:
        yield made


@pytest.fixture
def make_node(tmp_path, database):
    """Makes servers by name; those that still run at the end of the test are killed."""
    tmp_path.chmod(0o777)  # tasks write their evidence there
    with contextlib.ExitStack() as ends:
        def make(name="node", of=database, **settings):
            node = Node(tmp_path / name, of, **settings)
            ends.callback(end, node)
            return node
        yield make


def end(node):
    if node.process and node.process.poll() is None:
        node.process.kill()
        node.wait()
