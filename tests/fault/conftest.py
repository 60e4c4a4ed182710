import os

import pytest

import server as servers


@pytest.fixture
def seed():
    """Shown when a test fails, so that its choices can be made again."""
    value = int(os.environ.get("DAGY_FAULT_SEED", "1"))
    print(f"DAGY_FAULT_SEED={value}")
    return value


@pytest.fixture
def make_server(tmp_path):
    """Makes servers; those that still run at the end of the test are killed."""
    made = []

    def make(**settings):
        made.append(servers.Server(tmp_path, **settings))
        return made[-1]

    yield make
    for each in made:
        if each.process and each.process.poll() is None:
            each.process.kill()
            each.wait()
