"""What tasks of an attacker do. Each function is the code of a Python task: it uses nothing of this
file, and returns a list of what it got that it should not have; an empty one is a failed attack.
Processes with its own command line are its own interpreter's, which runs nothing but this code for
this organization.

`place` tells what the attacker knows: the data directory, the server's process id, the victim's
working directory and process ids, and directories outside.
"""


def read_the_data_directory(place):
    import os
    shown = ("work", "sdk")  # what tasks work in, and import
    got = [name for name in os.listdir(place["data_dir"]) if name not in shown]
    for name in ("dagy.db", "server.lock", "spawner.lock", "objects", "master.key", "artifacts"):
        if os.path.exists(os.path.join(place["data_dir"], name)):
            got.append(name)
    return got


def read_other_runs(place):
    import os
    got = [name for name in os.listdir(os.path.join(place["data_dir"], "work"))
           if name != os.environ["DAGY_RUN_ID"]]
    try:
        got += os.listdir(place["victim_directory"])
    except OSError:
        pass
    return got


def read_through_proc(place):
    import os
    got = []
    own = open("/proc/self/cmdline", "rb").read()
    pids = [name for name in os.listdir("/proc") if name.isdigit()]
    for pid in [*pids, str(place["server_pid"]), *map(str, place["victim_pids"])]:
        try:
            if open(f"/proc/{pid}/cmdline", "rb").read() in (own, b""):  # nothing: it is dead
                continue
        except FileNotFoundError:
            continue
        except OSError:
            pass
        for name in ("environ", "mem", "maps", "io"):
            try:
                with open(f"/proc/{pid}/{name}", "rb") as file:
                    file.read(1)
                    got.append(f"{pid}/{name}")
            except OSError:
                pass
        for name in ("root", "cwd", "fd"):
            try:
                got += [f"{pid}/{name}/{entry}" for entry in os.listdir(f"/proc/{pid}/{name}")]
            except OSError:
                pass
    return got


def trace_the_server(place):
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    attach = 16
    return [pid for pid in [place["server_pid"], *place["victim_pids"], 1]
            if libc.ptrace(attach, pid, 0, 0) == 0]


def signal_others(place):
    import os
    import signal
    got = []
    for pid in [place["server_pid"], *place["victim_pids"]]:
        try:
            os.kill(pid, signal.SIGKILL)
            got.append(pid)
        except OSError:
            pass
    for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM):
        try:
            os.kill(1, number)  # without effect on an init
        except OSError:
            pass
    try:
        os.kill(os.getppid(), 0)
    except OSError:
        pass
    return got


def see_others(place):
    import os
    got = []
    own = open("/proc/self/cmdline", "rb").read()
    for pid in os.listdir("/proc"):
        if not pid.isdigit():
            continue
        try:
            line = open(f"/proc/{pid}/cmdline", "rb").read()
            name = open(f"/proc/{pid}/comm", encoding="utf-8").read().strip()
        except OSError:  # it has ended meanwhile
            continue
        if line and line != own and name != "dagy-nest":  # a dead process shows no line
            got.append(f"{pid} {name}")
    return got


def write_outside(place):
    import os
    got = []
    for directory in ["/", "/etc", "/usr", "/usr/bin", "/var", "/var/tmp", "/opt", "/home", "/run",
                      "/dev", "/sys", "/proc/sys/kernel", place["outside"], place["data_dir"],
                      place["data_dir"] + "/work"]:
        path = os.path.join(directory, "written-by-a-task")
        try:
            with open(path, "w", encoding="utf-8") as file:
                file.write("x")
            got.append(path)
            os.unlink(path)
        except OSError:
            pass
    for path in ("/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/sys/fs/cgroup/cgroup.procs"):
        try:
            with open(path, "w", encoding="utf-8"):
                got.append(path)
        except OSError:
            pass
    return got


def use_a_setuid_program(place):
    import subprocess
    shown = subprocess.run([place["setuid_id"], "-u"], capture_output=True, text=True)
    return [shown.stdout] if shown.stdout.strip() == "0" else []


def change_user(place):
    import os
    got = []
    for name, call in (("setuid", lambda: os.setuid(0)), ("setgid", lambda: os.setgid(0)),
                       ("setgroups", lambda: os.setgroups([0])),
                       ("setresuid", lambda: os.setresuid(1, 1, 1))):
        try:
            before = os.getresuid()
            call()
            if os.getresuid() != before or name != "setuid":
                got.append(name)
        except OSError:
            pass
    return got


def mount_things(place):
    import ctypes
    import os
    libc = ctypes.CDLL(None, use_errno=True)
    got = []
    if libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0:
        got.append("mount")
    for path in (place["data_dir"], "/proc", "/tmp", "/run"):
        if libc.umount2(path.encode(), 2) == 0:
            got.append("umount " + path)
    if libc.mount(b"none", b"/", None, 0x20 | 0x1000, None) == 0:  # remount, writable
        got.append("remount")
    newuser, newns, newpid = 0x10000000, 0x00020000, 0x20000000
    for flags in (newuser | newns, newuser, newns, newpid):
        child = os.fork()
        if child == 0:
            os._exit(0 if libc.unshare(flags) == 0 else 1)
        if os.waitpid(child, 0)[1] == 0:
            got.append(f"unshare {flags:#x}")
    try:
        os.chroot("/tmp")
        got.append("chroot")
    except OSError:
        pass
    return got


def make_devices(place):
    import os
    import stat
    got = []
    for directory in (".", "/tmp", "/dev/shm"):
        try:
            os.mknod(os.path.join(directory, "disk"), 0o666 | stat.S_IFBLK, os.makedev(254, 0))
            got.append(directory)
        except OSError:
            pass
    return got


def find_what_others_left(place):
    import os
    got = [f"/tmp/{name}" for name in os.listdir("/tmp") if name not in place["tmp_entries"]]
    got += [f"/dev/shm/{name}" for name in os.listdir("/dev/shm")]
    for kind in ("shm", "sem", "msg"):
        with open(f"/proc/sysvipc/{kind}", encoding="utf-8") as file:
            got += [f"{kind} {line.split()[0]}" for line in file.readlines()[1:]]
    return got


def find_secrets(place):
    import os
    allowed = {"PATH", "LANG", "HOME", "LC_CTYPE", "DAGY_RUN_ID", "DAGY_TASK_ID", "DAGY_ATTEMPT",
               "DAGY_IDEMPOTENCY_KEY", "TRACEPARENT", "DAGY_MAP_INDEX"}
    got = [name for name in os.environ if name not in allowed]
    for number in os.listdir("/proc/self/fd"):
        target = os.readlink(f"/proc/self/fd/{number}") if os.path.exists(
            f"/proc/self/fd/{number}") else "closed"
        if int(number) >= place["own_descriptors"] and not target.endswith("/fd") and target != "closed":
            got.append(f"descriptor {number}: {target}")
    return got


def raise_limits(place):
    import resource
    got = []
    for name in ("RLIMIT_NPROC", "RLIMIT_NOFILE", "RLIMIT_CORE"):
        hard = resource.getrlimit(getattr(resource, name))[1]
        try:
            resource.setrlimit(getattr(resource, name), (hard + 1, hard + 1))
            got.append(name)
        except (OSError, ValueError):
            pass
    return got


def fork_without_end(place):
    import os
    import time
    made = 0
    try:
        while made < 5000:
            if os.fork() == 0:
                time.sleep(600)
                os._exit(0)
            made += 1
    except OSError:
        pass
    return [] if made < place["processes_max"] else [f"{made} processes"]


def go_on_after_the_end(place):
    import os
    import time
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.environ.clear()
            for number in range(0, 4):
                try:
                    os.close(number)
                except OSError:
                    pass
            import signal
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True:
                with open(place["beat"], "a", encoding="utf-8") as file:
                    file.write("x")
                time.sleep(0.01)
        os._exit(0)
    while not os.path.exists(place["beat"]):
        time.sleep(0.01)
    return []
