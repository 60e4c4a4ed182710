"""Servers on one database of PostgreSQL: what each says of itself, and which of them works."""

import re
import signal
import subprocess
import threading
import time

import database as databases
import processes
import server as servers

STANDS_BY = re.compile(r"Dagy (\S+) stands by at http://localhost:(\d+)$")
SECONDS = 30


class Database(databases.PostgresDatabase):
    """In a cluster that a test may stop."""

    def __init__(self, instance):
        if self.role not in instance.passwords:
            instance.create_role(self.role)
        self.name = next(self.names)
        self.url = instance.create_database(self.name, owner=self.role)

    def count(self, sql, values=()):
        return self.rows(sql, values)[0][0]


class Node(servers.Server):
    """A server that may have to stand by. Its lines are noted with the time when they came."""

    def __init__(self, directory, database, **settings):
        directory.mkdir(exist_ok=True)
        settings = {"DAGY_DATABASE_URL": database.url, "DAGY_ALLOWED_PATHS": directory.parent,
                    **settings}
        super().__init__(directory, **settings)
        self.of_test = database
        self.said = []  # (monotonic time, line) of the last start
        self.reader = None

    @property
    def database(self):
        return self.of_test

    def launch(self):
        """Starts the process and does not wait."""
        self.said, self.port = [], None
        with open(self.log_path, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [*self.command, "serve"], stdout=subprocess.PIPE, stderr=log, text=True,
                env=servers.environment(self.data_dir, **self.settings))
        self.reader = threading.Thread(target=self._read, args=(self.process.stdout, self.said))
        self.reader.start()
        return self

    def _read(self, lines, said):
        for line in lines:
            line = line.rstrip("\n")
            if found := servers.READY.match(line) or STANDS_BY.match(line):
                self.version, self.port = found.group(1), int(found.group(2))
            said.append((time.monotonic(), line))

    def start(self):
        self.launch()
        self.wait_until_ready()
        return self

    def wait(self):
        code = self.process.wait(timeout=servers.STOP_SECONDS)
        self.reader.join()
        self.process.stdout.close()
        return code

    def _when(self, pattern):
        return next((when for when, line in list(self.said) if pattern.match(line)), None)

    @property
    def ready_at(self):
        return self._when(servers.READY)

    def is_working(self):
        return self.ready_at is not None and self.process.poll() is None

    def wait_until_ready(self, seconds=SECONDS):
        """When that was."""
        return self._wait_to_say(servers.READY, seconds)

    def wait_until_standing_by(self, seconds=SECONDS):
        return self._wait_to_say(STANDS_BY, seconds)

    def _wait_to_say(self, pattern, seconds):
        def says():
            assert self.process.poll() is None, f"it has ended:\n{self.log()[-3000:]}"
            return self._when(pattern)
        return processes.wait_until(says, seconds, f"{pattern.pattern}\n{self.log()[-3000:]}")

    def kill(self):
        self.process.kill()
        assert self.wait() == -9

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)


class Nodes:
    """Where a client finds the one that works: the last that said so."""

    def __init__(self, *nodes):
        self.nodes = nodes

    @property
    def port(self):
        able = [node for node in self.nodes if node.process and node.is_working()]
        able.sort(key=lambda node: node.ready_at)
        return able[-1].port if able else self.nodes[0].port
