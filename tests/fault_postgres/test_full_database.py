"""The database's disk is full, or that of its write-ahead log, and has room again."""

import contextlib
import shutil
import subprocess
import time

import pytest

import cluster as clusters
import processes
from load import Caller
from node import Database, Node
from work import Work

MEGABYTE = 1 << 20
SECONDS = 30


@contextlib.contextmanager
def small_disk(path, cluster, megabytes):
    """A file system of its own, which the database's user may write on."""
    path.mkdir()
    options = f"size={megabytes}m,mode=0700,uid={cluster.user.pw_uid},gid={cluster.user.pw_gid}"
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path],
                          capture_output=True, text=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"absent here: a small file system ({made.stderr.strip()})")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def fill(path):
    """Takes all the room there is."""
    with open(path / "filler", "ab", buffering=0) as filler:
        with contextlib.suppress(OSError):
            while True:
                filler.write(bytes(8192))


@pytest.fixture
def own_cluster():
    with clusters.Cluster() as made:
        yield made


def store_status(caller):
    status, answer = caller.call("GET", "/health")
    store = next(each for each in answer["components"] if each["name"] == "store")
    return status, store["status"]


def test_no_room_for_data(own_cluster, seed, tmp_path):
    tmp_path.chmod(0o777)
    with small_disk(own_cluster.directory / "small", own_cluster, 64) as disk:
        own_cluster.query(f"CREATE TABLESPACE small LOCATION '{disk}'")
        own_cluster.query("ALTER DATABASE template1 SET TABLESPACE small")
        database = Database(own_cluster)
        node = Node(tmp_path / "node", database).start()
        caller = Caller(node)
        try:
            with Work(node, tmp_path, seed) as work:
                work.goes_on()
                fill(disk)
                processes.wait_until(lambda: "53100" in node.log(), SECONDS, "a full disk")
                processes.wait_until(lambda: store_status(caller) == (200, "degraded"), SECONDS,
                                     "/health says so")
                refused = work.probe.answers["POST /runs", 503]
                processes.wait_until(lambda: work.probe.answers["POST /runs", 503] > refused + 5, SECONDS,
                                     "refused runs")
                assert node.process.poll() is None
                (disk / "filler").unlink()
                print(f"goes on after {work.goes_on():.2f} s")
                assert work.finish() == 0
            processes.wait_until(lambda: store_status(caller) == (200, "healthy"), SECONDS, "health")
            caller.close()
            assert node.stop() == 0
            work.check_stopped(node)
        finally:
            if node.process.poll() is None:
                node.kill()


def move_log_to(disk, cluster):
    """The write-ahead log of a stopped cluster."""
    log = cluster.data / "pg_wal"
    shutil.copytree(log, disk / "wal")
    for path in [disk / "wal", *(disk / "wal").rglob("*")]:
        shutil.chown(path, cluster.user.pw_uid, cluster.user.pw_gid)
    (disk / "wal").chmod(0o700)
    shutil.rmtree(log)
    log.symlink_to(disk / "wal")


def test_no_room_for_the_log(own_cluster, seed, tmp_path):
    """PostgreSQL goes down, and up again once there is room."""
    tmp_path.chmod(0o777)
    cluster = own_cluster
    with small_disk(cluster.directory / "small", cluster, 96) as disk:
        cluster.stop()
        move_log_to(disk, cluster)
        cluster.start()
        database = Database(cluster)
        node = Node(tmp_path / "node", database).start()
        try:
            with Work(node, tmp_path, seed) as work:
                work.goes_on()
                fill(disk)
                # A new segment is needed sooner than the work would bring it about.
                with contextlib.suppress(Exception):
                    for _ in range(8):
                        cluster.query("SELECT pg_switch_wal() FROM txid_current()")
                processes.wait_until(lambda: "PANIC" in cluster.log(), SECONDS, "PANIC")
                refused = work.probe.refused()
                time.sleep(2)
                assert work.probe.refused() > refused
                (disk / "filler").unlink()
                with contextlib.suppress(AssertionError):
                    work.goes_on(3)  # it may come back by itself
                if cluster.process.poll() is not None:
                    cluster.stop("immediate")
                    cluster.start()
                print(f"goes on after {work.goes_on():.2f} s")
                assert work.finish() == 0
            assert node.stop() == 0
            work.check_stopped(node)
        finally:
            if node.process.poll() is None:
                node.kill()
            cluster.stop("immediate")
