"""One server for most tests, and a client with a home of its own for each test."""

import os
import pathlib
import pty
import shutil
import subprocess

import pytest

import server as servers

COMMAND_SECONDS = 90
BASH, ZSH, FISH = shutil.which("bash"), shutil.which("zsh"), shutil.which("fish")


class Cli:
    """Runs the program as a person does; nothing of this process's own DAGY_ variables."""

    def __init__(self, home, url=None):
        self.home = pathlib.Path(home)
        self.url = url
        self.variables = {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home / "tmp")}
        (self.home / "tmp").mkdir(exist_ok=True)
        self.home.chmod(0o755)
        (self.home / "tmp").chmod(0o755)
        if url:
            self.variables["DAGY_URL"] = url

    @property
    def config(self):
        return self.home / ".dagy" / "config.yaml"

    def start(self, *words, **more):
        """The process, not waited for."""
        variables = {**self.variables, **more.pop("variables", {})}
        return subprocess.Popen([servers.BINARY, *words], env=variables, cwd=self.home,
                                stdin=more.pop("stdin", subprocess.DEVNULL),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)

    def raw(self, *words, stdin=b"", variables=None):
        """The completed process; what it printed as bytes."""
        return subprocess.run([servers.BINARY, *words], input=stdin, capture_output=True,
                              env={**self.variables, **(variables or {})}, cwd=self.home,
                              timeout=COMMAND_SECONDS)

    def __call__(self, *words, code=0, stdin="", variables=None):
        """What it printed on standard output, or on standard error when `code` is not 0."""
        done = self.raw(*words, stdin=stdin.encode(), variables=variables)
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return (done.stdout if code == 0 else done.stderr).decode()

    def on_terminal(self, *words, typed=(), code=0, variables=None):
        """What a terminal is sent; of `typed` the n-th line is answered to the n-th prompt."""
        pid, master = pty.fork()
        if pid == 0:
            os.chdir(self.home)
            os.execve(servers.BINARY, [servers.BINARY, *words], {**self.variables, **(variables or {})})
        text, prompts = b"", list(typed)
        while True:
            try:
                piece = os.read(master, 65536)
            except OSError:  # its other side is closed
                break
            if not piece:
                break
            text += piece
            if prompts and text.endswith(b": "):
                os.write(master, prompts.pop(0).encode() + b"\n")
        os.close(master)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == code, text
        return text.decode()

    def login(self, email=servers.OWNER):
        self("login", "--email", email, stdin=servers.PASSWORD + "\n")
        return self


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    made = servers.Server(tmp_path_factory.mktemp("server")).start()
    made.url = f"http://localhost:{made.port}"
    yield made
    assert made.stop() == 0, made.log()


@pytest.fixture
def stranger(server, tmp_path):
    """A client that has not signed in."""
    return Cli(tmp_path, server.url)


@pytest.fixture
def cli(stranger):
    return stranger.login()


@pytest.fixture
def alone(tmp_path):
    """A client without a server."""
    return Cli(tmp_path)


@pytest.fixture
def own_server(tmp_path_factory):
    """A server of the test's own, and a client of it."""
    directory = tmp_path_factory.mktemp("own")
    made = servers.Server(directory).start()
    client = Cli(tmp_path_factory.mktemp("home"), f"http://localhost:{made.port}").login()
    yield made, client
    if made.process.poll() is None:
        made.stop()
