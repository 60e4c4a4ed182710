#include "exec/python_program.h"

namespace exec {

namespace {

constexpr std::string_view program = R"py(
import json, linecache, os, sys, traceback, types

PATH = "task.py"
IMPORT_OUTPUT_MAX = 1 << 20

class Context:
    @property
    def run_id(self): return os.environ["DAGY_RUN_ID"]
    @property
    def task_id(self): return os.environ["DAGY_TASK_ID"]
    @property
    def attempt(self): return int(os.environ["DAGY_ATTEMPT"])
    @property
    def idempotency_key(self): return os.environ["DAGY_IDEMPOTENCY_KEY"]

def prepare(code):
    dagy = types.ModuleType("dagy")
    dagy.context = Context()
    sys.modules["dagy"] = dagy
    task = types.ModuleType("__task__")
    task.__file__ = PATH
    sys.modules["__task__"] = task
    sys.argv = [PATH]
    linecache.cache[PATH] = (len(code), None, code.splitlines(True), PATH)
    return task

def answer(document):
    with os.fdopen(3, "w", encoding="utf-8", closefd=False) as channel:
        channel.write(document)
    os.close(3)

def fail(kind, message):
    answer(json.dumps({"error": {"kind": kind, "message": message[:4000]}}))
    return 1

# The exit code. `code` is None when the task's module is loaded already.
def attempt(task, code, inputs):
    try:
        if code is not None:
            exec(compile(code, PATH, "exec"), task.__dict__)
        main = getattr(task, "main", None)
        if not callable(main):
            raise TypeError("the code defines no function main")
        result = main(**inputs)
    except Exception as error:
        kind = type(error).__name__
        lines = traceback.format_exception(type(error), error, error.__traceback__.tb_next)
        sys.stderr.write("".join(lines))
        return fail("exception:" + kind, kind + ": " + str(error))
    try:
        document = json.dumps({"result": result}, ensure_ascii=False, allow_nan=False)
        document.encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        return fail("invalid_result", "the return value is not JSON: " + str(error))
    answer(document)
    return 0

def read_input():
    data = b""
    while True:
        part = os.read(0, 1 << 20)
        if not part:
            break
        data += part
    line = data.index(b"\n")
    end = line + 1 + int(data[:line])
    return data[line + 1:end].decode("utf-8"), json.loads(data[end:])

def spawn():
    code, inputs = read_input()
    task = prepare(code)
    code = attempt(task, code, inputs)
    if code != 0:
        sys.exit(code)

# ---- warm interpreters ----

# Why the code cannot be kept warm; the numbers are Refusal's in spawner_protocol.h.
class Refused(Exception):
    pass
FAILS, PRINTS, THREAD, SOCKET, PROCESS = 1, 2, 3, 4, 7

# Runs the code with its output kept aside; every attempt begins with that output.
def load(code, control):
    import threading
    task = prepare(code)
    kept = [os.memfd_create("output"), os.memfd_create("errors")]
    for i, file in enumerate(kept):
        os.dup2(file, i + 1)
    try:
        exec(compile(code, PATH, "exec"), task.__dict__)
        if not callable(getattr(task, "main", None)):
            raise TypeError
    except BaseException:  # a fresh interpreter tells it as it is
        raise Refused(FAILS)
    sys.stdout.flush()
    sys.stderr.flush()
    sizes = [os.fstat(file).st_size for file in kept]
    output = [os.pread(file, size, 0) for file, size in zip(kept, sizes)]
    null = os.open(os.devnull, os.O_RDWR)
    for i in range(3):
        os.dup2(null, i)
    for file in [*kept, null]:
        os.close(file)
    if max(sizes) > IMPORT_OUTPUT_MAX:
        raise Refused(PRINTS)
    if threading.active_count() > 1 or len(os.listdir("/proc/self/task")) > 1:
        raise Refused(THREAD)
    try:
        os.waitpid(-1, os.WNOHANG)
        raise Refused(PROCESS)
    except ChildProcessError:
        pass
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink("/proc/self/fd/" + name)
        except OSError:
            continue
        if target.startswith("socket:") and int(name) != control.fileno():
            raise Refused(SOCKET)
    return task, output

# What an attempt is given: its directory and environment, and its descriptors 0 to 3.
def take(message, files, output):
    for i, file in enumerate(files):
        os.dup2(file, i)
        os.close(file)
    directory, *variables = message.decode("utf-8", "surrogateescape").split("\0")
    os.environ.clear()
    for variable in variables:
        name, _, value = variable.partition("=")
        os.environ[name] = value
    os.chdir(directory)
    _, inputs = read_input()
    for i, data in enumerate(output):
        while data:
            data = data[os.write(i + 1, data):]
    return inputs

def reseed():
    if "random" in sys.modules:
        sys.modules["random"].seed()
    numpy = sys.modules.get("numpy")
    if numpy is not None and hasattr(numpy, "random"):
        numpy.random.seed()

# The exit code of what the interpreter would do with an exception that nothing has caught.
def code_of(error):
    if isinstance(error, SystemExit):
        if error.code is None or isinstance(error.code, int):
            return (error.code or 0) & 255
        sys.stderr.write(str(error.code) + "\n")
        return 1
    lines = traceback.format_exception(type(error), error, error.__traceback__.tb_next)
    sys.stderr.write("".join(lines))
    return 130 if isinstance(error, KeyboardInterrupt) else 1

def guarded(task, inputs):
    try:
        return attempt(task, None, inputs)
    except BaseException as error:
        return code_of(error)

def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            pass

# As the interpreter ends, without taking it apart.
def leave(code):
    import atexit, threading
    try:
        threading._shutdown()
        atexit._run_exitfuncs()
    except BaseException:
        traceback.print_exc()
    flush()
    os._exit(code)

# In the interpreter: forks as often as the nest asks. Returns in each child, with its socket.
def fork_children(control):
    import socket, time
    nest = os.getppid()
    while True:
        if not control.recv(16):
            os._exit(0)
        theirs, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        middle = os.fork()
        if middle == 0:
            if os.fork() != 0:
                os._exit(0)
            theirs.close()
            control.close()
            while os.getppid() != nest:  # a child of the nest, which ends it and waits for it
                time.sleep(0.0002)
            return ours
        ours.close()
        os.waitpid(middle, 0)
        socket.send_fds(control, [b"spare"], [theirs.fileno()])
        theirs.close()

def fork_mode(control, task, output):
    import ctypes, gc, socket
    libc = ctypes.CDLL(None)
    gc.collect()
    gc.freeze()
    death_signal, subreaper, kill = 1, 36, 9
    libc.prctl(subreaper, 0, 0, 0, 0)  # so that its grandchildren come to the nest
    own = fork_children(control)
    libc.prctl(death_signal, kill, 0, 0, 0)
    libc.prctl(subreaper, 1, 0, 0, 0)
    own.send(str(os.getpid()).encode())
    if not own.recv(16):
        os._exit(0)
    os.setsid()  # only now that the nest knows whose it is
    own.send(b"set")
    message, files, _, _ = socket.recv_fds(own, 1 << 18, 8)
    if not message:
        os._exit(0)
    own.close()
    inputs = take(message, files, output)
    reseed()
    leave(guarded(task, inputs))

def worker_mode(control, task, output):
    import socket
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    while True:
        control.send(b"ready")
        message, files, _, _ = socket.recv_fds(control, 1 << 18, 8)
        if not message:
            os._exit(0)
        try:
            inputs = take(message, files, output)
            output = []
            code = guarded(task, inputs)
        except BaseException as error:
            code = code_of(error)
        flush()
        for i in range(4):
            os.dup2(null, i)
        os.chdir("/")
        while True:
            try:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    break
            except ChildProcessError:
                break
        control.send(b"done " + str(code).encode())

def warm(mode):
    import socket
    control = socket.socket(fileno=os.dup(3))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 3)  # keeps the place of the results
    os.close(null)
    code = b""
    while True:
        part = os.read(0, 1 << 20)
        if not part:
            break
        code += part
    try:
        task, output = load(code.decode("utf-8"), control)
    except Refused as reason:
        control.send(b"refused " + str(reason.args[0]).encode())
        os._exit(0)
    control.send(b"loaded")
    (fork_mode if mode == "fork" else worker_mode)(control, task, output)

if sys.argv[1] == "spawn":
    spawn()
else:
    warm(sys.argv[1])
)py";

}  // namespace

std::string_view python_program() {
  return program;
}

}  // namespace exec
