#!/usr/bin/python3
"""A PostgreSQL of a test's own: a throw-away cluster on a free port of the loopback interface.

    tests/postgres/cluster.py run [--locale L] -- COMMAND...

starts one, exports its superuser's URL as DAGY_TEST_POSTGRES, runs the command and returns its exit
code. The cluster is gone afterwards, however that was. For root the server runs as another user.
"""

import argparse
import contextlib
import glob
import os
import pathlib
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

import psycopg2
from psycopg2 import sql as quoting

START_SECONDS = 60
STOP_SECONDS = 60
CONNECT_SECONDS = 30
VARIABLE = "DAGY_TEST_POSTGRES"
# Waits until the process that made the cluster is gone or says so, however it ends.
GUARD = """
read -r _
if pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid" 2>/dev/null; then
    kill -CONT "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
fi
rm -rf "$1"
"""
STOP_SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}
# fsync stays on: what is durable is measured and tested.
SETTINGS = {"max_connections": 200, "log_min_messages": "warning"}


class Absent(Exception):
    """PostgreSQL cannot be had on this machine; says why."""


def connect_url(url):
    connection = psycopg2.connect(url, connect_timeout=CONNECT_SECONDS)
    connection.autocommit = True
    return contextlib.closing(connection)


class Instance:
    """A running PostgreSQL, known by an URL of its superuser."""

    def __init__(self, url):
        self.superuser_url = url
        self.passwords = {}  # of roles made here

    def url(self, database="postgres", user=None):
        """As the superuser, or as a role that was made here."""
        parts = urllib.parse.urlsplit(self.superuser_url)
        place = parts.netloc
        if user is not None:
            place = f"{user}:{self.passwords[user]}@{place.rpartition('@')[2]}"
        return urllib.parse.urlunsplit(parts._replace(netloc=place, path="/" + database))

    def query(self, sql, params=None, database="postgres"):
        """The rows of one statement, which commits by itself; None where it has none."""
        with connect_url(self.url(database)) as connection, connection.cursor() as cursor:
            cursor.execute(sql, params)
            return cursor.fetchall() if cursor.description else None

    def create_role(self, name, options="LOGIN"):
        self.passwords[name] = secrets.token_hex(16)
        self._define("CREATE ROLE {} PASSWORD %s " + options, name, params=[self.passwords[name]])

    def create_database(self, name, owner=None, locale=None):
        """`locale` as of a Cluster; absent: the cluster's own."""
        statement, names = "CREATE DATABASE {}", [name]
        if owner is not None:
            statement, names = statement + " OWNER {}", [name, owner]
        if locale is not None:
            provider, _, icu = locale.partition(":")
            statement += " TEMPLATE template0" + (
                f" LOCALE_PROVIDER icu ICU_LOCALE '{icu}'" if icu else f" LOCALE '{provider}'")
        self._define(statement, *names)
        return self.url(name, owner)

    def drop_database(self, name):
        self._define("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def _define(self, statement, *names, params=None):
        composed = quoting.SQL(statement).format(*map(quoting.Identifier, names))
        self.query(composed, params)


class Cluster(Instance):
    """A cluster in a temporary directory; also a context manager. The port stays the same over
    restarts. `locale` is one of the system's or icu:NAME; `settings` are of postgresql.conf, and
    may be changed before a start."""

    def __init__(self, locale="C.UTF-8", settings=None):
        self.settings = {**SETTINGS, **(settings or {})}
        self.user = server_user()
        self.programs = programs()
        self.process = None
        # Bound and not listening, it keeps the port from everybody but the server.
        self.port_holder = socket.socket()
        self.port_holder.bind(("127.0.0.1", 0))
        self.port_holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.port = self.port_holder.getsockname()[1]
        password = secrets.token_hex(16)
        super().__init__(f"postgresql://postgres:{password}@127.0.0.1:{self.port}/postgres")
        self.directory = make_directory(self.user)
        self.guard = subprocess.Popen(["/bin/sh", "-c", GUARD, "sh", self.directory], cwd="/",
                                      stdin=subprocess.PIPE, start_new_session=True)
        try:
            self._initialize(locale, password)
        except BaseException:
            self.remove()
            raise

    @property
    def log_path(self):
        return self.directory / "log"

    @property
    def data(self):
        return self.directory / "data"

    def _initialize(self, locale, password):
        password_file = self.directory / "password"
        password_file.write_text(password)
        shutil.chown(password_file, self.user.pw_uid, self.user.pw_gid)
        provider, _, icu = locale.partition(":")
        where = ["--locale-provider=icu", f"--icu-locale={icu}", "--locale=C.UTF-8"] if icu else [
            f"--locale={provider}"]
        done = subprocess.run(
            [self.programs / "initdb", "-D", self.data, "-U", "postgres", "-E", "UTF8", *where,
             "-A", "scram-sha-256", f"--pwfile={password_file}", "--no-instructions"],
            capture_output=True, text=True, **self._as_user())
        password_file.unlink()
        if done.returncode != 0:
            raise Absent(f"initdb failed: {done.stderr.strip()}")

    def _as_user(self):
        options = {"cwd": self.directory, "stdin": subprocess.DEVNULL, "start_new_session": True}
        if os.geteuid() == 0:
            options.update(user=self.user.pw_uid, group=self.user.pw_gid, extra_groups=[])
        return options

    def start(self):
        assert self.process is None
        settings = {
            **self.settings, "port": self.port, "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.directory}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([self.programs / "postgres", "-D", self.data, *words],
                                            stdout=log, stderr=log, **self._as_user())
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop("immediate")
                raise Absent(f"PostgreSQL did not start:\n{self.log()[-2000:]}")
            time.sleep(0.01)
        return self

    def _is_ready(self):
        """What pg_ctl looks at: the first line is the process, the eighth its state."""
        try:
            lines = (self.data / "postmaster.pid").read_text().split("\n")
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[0] == str(self.process.pid) and lines[7].strip() == "ready"

    def stop(self, mode="fast"):
        """"fast": connections are ended and all is written; "immediate": as if it had crashed."""
        process, self.process = self.process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(STOP_SIGNALS[mode])
            for pid in [process.pid, *children(process.pid)]:  # they may be paused
                send(pid, signal.SIGCONT)
        process.wait(STOP_SECONDS)

    def restart(self, mode="fast"):
        self.stop(mode)
        self.start()

    def pids(self):
        """The postmaster and its children."""
        return [self.process.pid, *children(self.process.pid)]

    def pause(self):
        """Nothing is answered any more; the kernel still accepts connections, up to its backlog."""
        halt(self.process.pid)  # first: it starts the others
        for pid in children(self.process.pid):
            halt(pid)

    def resume(self):
        for pid in reversed(self.pids()):
            send(pid, signal.SIGCONT)

    def log(self):
        return self.log_path.read_text(errors="replace")

    def remove(self):
        self.stop("immediate")
        self.port_holder.close()
        self.guard.stdin.close()
        self.guard.wait()

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.remove()
            raise

    def __exit__(self, *unused):
        self.remove()


def send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:  # it has ended meanwhile
        pass


def halt(pid):
    """Returns when it has stopped."""
    send(pid, signal.SIGSTOP)
    with contextlib.suppress(OSError):
        while pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "TZX":
            time.sleep(0.001)


def children(pid):
    found = []
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, path.read_text().split())
    return found


def server_user():
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise Absent("there is no user postgres or nobody to run PostgreSQL as")


def programs():
    """The directory of the newest initdb; Debian has none on PATH."""
    versions = glob.glob("/usr/lib/postgresql/*/bin/initdb")
    versions.sort(key=lambda path: int(re.search(r"\d+", path).group()))
    found = versions[-1] if versions else shutil.which("initdb")
    if found is None:
        raise Absent("there is no initdb in /usr/lib/postgresql/*/bin or on PATH: install PostgreSQL")
    return pathlib.Path(os.path.realpath(found)).parent


def make_directory(user):
    """A directory of this user, below one that others may pass through."""
    for parent in dict.fromkeys((tempfile.gettempdir(), "/var/tmp", "/tmp")):
        path = pathlib.Path(parent).resolve()
        if user.pw_uid == os.geteuid() or all(
                each.stat().st_mode & 0o001 for each in (path, *path.parents)):
            made = pathlib.Path(tempfile.mkdtemp(prefix="dagy-postgres-", dir=path))
            shutil.chown(made, user.pw_uid, user.pw_gid)
            return made
    raise Absent(f"no temporary directory that the user {user.pw_name} can reach")


HANDED_ON = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


def run(command, locale):
    # Held back, no signal is lost and none interrupts the cleaning up.
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDED_ON | {signal.SIGCHLD})
    with Cluster(locale) as cluster:
        process = subprocess.Popen(
            command, env={**os.environ, VARIABLE: cluster.superuser_url},
            preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, set()))
        while process.poll() is None:
            info = signal.sigwaitinfo(HANDED_ON | {signal.SIGCHLD})
            # One that comes from the terminal (no process) has reached the command too.
            if info.si_signo != signal.SIGCHLD and info.si_pid != 0:
                process.send_signal(info.si_signo)
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=["run"])
    parser.add_argument("--locale", default="C.UTF-8", help="of the system, or icu:NAME")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    try:
        return run(options.command, options.locale)
    except (Absent, OSError) as error:
        print(f"{sys.argv[0]}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
