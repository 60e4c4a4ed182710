"""A server as root and one as an ordinary user, each with a victim's run under way."""

import os
import pathlib
import shutil
import tempfile

import pytest

import server as servers
from client import Client

USER = 65534  # of the server that is not root
RESULTS = {}  # attack -> {identity: outcome}


class Battlefield:
    """Two organizations on one server; a run of the first that waits, its files, its processes."""

    def __init__(self, directory, identity):
        self.identity = identity
        self.directory = directory
        command = [str(directory / "dagy")]
        if identity == "user" and os.geteuid() == 0:
            command = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", *command]
        shutil.copy(servers.BINARY, directory / "dagy")
        self.allowed = directory / "allowed"
        self.outside = directory / "outside"
        for each in (self.allowed, self.outside, directory / "server"):
            each.mkdir()
            each.chmod(0o777)
        self.server = servers.Server(directory / "server", command=command,
                                     DAGY_ALLOWED_PATHS=self.allowed)
        self.server.start()
        assert self.server.stop() == 0
        data_dir = self.server.data_dir
        servers.add_organization(data_dir, "other", command=command)
        servers.add_user(data_dir, "owner@other.test", "other", "owner", command=command)
        self.server.start()
        nobody = Client(self.server)
        self.victim = nobody.with_token(nobody.login(servers.OWNER, servers.PASSWORD))
        self.attacker = nobody.with_token(nobody.login("owner@other.test", servers.PASSWORD))

    def isolation(self):
        components = self.victim.call("GET /health", 200).json["components"]
        found, = [each for each in components if each["name"] == "isolation"]
        return found


@pytest.fixture(scope="session", params=["root", "user"])
def battlefield(request):
    if request.param == "root" and os.geteuid() != 0:
        pytest.skip("absent here: root")
    if request.param == "user" and os.geteuid() == 0 and not shutil.which("setpriv"):
        pytest.skip("absent here: setpriv")
    directory = pathlib.Path(tempfile.mkdtemp(prefix="dagy-isolation-"))
    directory.chmod(0o755)
    made = Battlefield(directory, request.param)
    yield made
    assert made.server.stop() == 0, made.server.log()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if "battlefield" not in getattr(item, "fixturenames", ()) or (report.when != "call" and not report.skipped):
        return
    identity = item.callspec.params.get("battlefield", "")
    name = item.callspec.params.get("attack", item.originalname)
    said = "held" if report.passed else "BROKEN"
    if report.skipped:
        said = report.longrepr[2].removeprefix("Skipped: ")
    row = RESULTS.setdefault(getattr(name, "__name__", name), {})
    if row.get(identity, "held") == "held":  # of its ways to start, the worst
        row[identity] = said


def pytest_terminal_summary(terminalreporter):
    if not RESULTS:
        return
    write = terminalreporter.write_line
    write("")
    write(f"{'attack':<34} {'server is root':<24} server is a user")
    for name, row in RESULTS.items():
        write(f"{name:<34} {row.get('root', ''):<24} {row.get('user', '')}")
