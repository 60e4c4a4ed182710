"""What /proc says about the processes of attempts."""

import pathlib
import time


def _read(path):
    try:
        return path.read_bytes()
    except OSError:  # it has ended meanwhile
        return b""


def started_at(pid):
    """Clock ticks since the machine's start; None when there is no such process, or a dead one."""
    stat = _read(pathlib.Path(f"/proc/{pid}/stat"))
    if not stat:
        return None
    state, *rest = stat[stat.rindex(b")") + 2:].split()
    return None if state in (b"Z", b"X") else int(rest[18])


def of_attempts(data_dir):
    """{pid: started_at} of all that attempts of this server have started: their environment names
    a run and, as home, a directory below the server's."""
    found = {}
    home = b"HOME=" + str(data_dir).encode() + b"/"
    for directory in pathlib.Path("/proc").glob("[0-9]*"):
        environment = _read(directory / "environ")
        if b"DAGY_RUN_ID=" in environment and home in environment:
            start = started_at(directory.name)
            if start is not None:
                found[int(directory.name)] = start
    return found


def wait_until(condition, seconds, what):
    """Waits for what only time can bring about; returns what `condition` did."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)
