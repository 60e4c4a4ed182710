"""What the library that is preloaded into a server (faults.cc) does to it."""

import mmap
import os
import pathlib
import struct

import server as servers

LIBRARY = pathlib.Path(os.environ.get(
    "DAGY_FAULTS_LIBRARY", servers.REPOSITORY / "build" / "tests" / "libfaults.so"))


class Faults:
    """The numbers of the page that both share; a server's settings to start it under them."""

    FIELDS = ("syncs", "kill_before", "kill_after", "fail", "sync_milliseconds", "clock_microseconds")

    def __init__(self, path):
        assert LIBRARY.exists(), f"{LIBRARY} is not built: cmake -DDAGY_TESTS=ON"
        path.write_bytes(bytes(8 * len(self.FIELDS)))
        with open(path, "r+b") as file:
            self.page = mmap.mmap(file.fileno(), 0)
        self.settings = {"LD_PRELOAD": LIBRARY, "FAULTS_PAGE": path}

    def __getitem__(self, name):
        return struct.unpack_from("q", self.page, 8 * self.FIELDS.index(name))[0]

    def __setitem__(self, name, value):
        struct.pack_into("q", self.page, 8 * self.FIELDS.index(name), value)

    def at_sync(self, number, fault):
        """kill_before, kill_after or fail the sync with this number from now on; 0: none."""
        for each in ("kill_before", "kill_after", "fail", "syncs"):
            self[each] = 0
        self[fault] = number
