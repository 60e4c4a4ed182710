"""A real Dagy server on a free port with a data directory of its own."""

import os
import pathlib
import re
import signal
import subprocess
import threading

import database

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("DAGY_BINARY", str(REPOSITORY / "build" / "dagy"))
OWNER = "owner@localhost"
PASSWORD = "correct horse battery"
READY = re.compile(r"Dagy (\S+) is ready at https?://localhost:(\d+)$")
START_SECONDS = 30
STOP_SECONDS = 60


def environment(data_dir, **settings):
    """Only what a server needs: nothing of the caller's own DAGY_ variables."""
    values = {
        "PATH": os.environ["PATH"],
        "HOME": str(data_dir.parent),
        "DAGY_DATA_DIR": str(data_dir),
        "DAGY_PORT": "0",
        "DAGY_OWNER_PASSWORD": PASSWORD,
        "DAGY_RATE_LIMIT_PER_MINUTE": "0",
        "DAGY_ALLOW_UNISOLATED": "1",
        "DAGY_ALLOWED_PATHS": str(data_dir.parent),  # what tests and tasks say to each other
    }
    if "DAGY_DATABASE_URL" not in settings:
        values.update(database.of(data_dir).settings)
    values.update({name: str(value) for name, value in settings.items()})
    return {name: value for name, value in values.items() if value != ""}


def processes_of(run_id):
    """The ids of all processes of a run's tasks, as this machine sees them: tasks see others."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"DAGY_RUN_ID={run_id}".encode() in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:  # it has ended meanwhile, or is somebody else's
            pass
    return found


def admin(data_dir, *words, stdin="", command=(BINARY,), **settings):
    """An offline command; returns the completed process."""
    return subprocess.run(
        [*command, "admin", "--data-dir", str(data_dir), *words], input=stdin, text=True,
        capture_output=True, env=environment(data_dir, **settings), timeout=START_SECONDS)


def add_organization(data_dir, slug, **more):
    done = admin(data_dir, "org", "add", slug, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def add_user(data_dir, email, slug, role, **more):
    done = admin(data_dir, "user", "add", email, "--org", slug, "--role", role,
                 stdin=PASSWORD + "\n", **more)
    assert done.returncode == 0, done.stderr


class Server:
    """`settings` are DAGY_ variables; an empty value takes one away. `command` starts the program.
    Also a context manager."""

    def __init__(self, directory, command=(BINARY,), **settings):
        self.command = command
        self.data_dir = directory / "data"
        directory.chmod(0o777)  # tasks have a user of their own
        self.settings = settings
        self.log_path = directory / "server.log"
        self.process = None
        self.port = None
        self.version = None
        self.greeting = []  # what the last start printed before it was ready

    def start(self):
        log = open(self.log_path, "a", encoding="utf-8")
        with log:
            self.process = subprocess.Popen(
                [*self.command, "serve"], stdout=subprocess.PIPE, stderr=log, text=True,
                env=environment(self.data_dir, **self.settings))
        watchdog = threading.Timer(START_SECONDS, self.process.kill)
        watchdog.start()
        self.greeting = []
        for line in self.process.stdout:
            self.greeting.append(line.rstrip("\n"))
            found = READY.match(self.greeting[-1])
            if found:
                watchdog.cancel()
                self.version, self.port = found.group(1), int(found.group(2))
                return self
        watchdog.cancel()
        raise AssertionError(f"the server did not start:\n{self.log()}")

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self):
        """The exit code, once the server has ended."""
        code = self.process.wait(timeout=STOP_SECONDS)
        self.process.stdout.close()
        return code

    def stop(self):
        self.terminate()
        return self.wait()

    def log(self):
        return self.log_path.read_text(encoding="utf-8")

    @property
    def database(self):
        return database.of(self.data_dir)

    def __enter__(self):
        return self.start()

    def __exit__(self, *unused):
        if self.process.poll() is None:
            assert self.stop() == 0, self.log()
