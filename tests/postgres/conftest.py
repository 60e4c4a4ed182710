import pytest

from cluster import Cluster


@pytest.fixture(scope="session")
def cluster():
    """For tests that leave it running."""
    with Cluster() as made:
        yield made
