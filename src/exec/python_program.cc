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

# The text of a module, whose `main` is called.
class Code:
    def __init__(self, text):
        self.text = text
        self.module = types.ModuleType("__task__")
        self.module.__file__ = PATH
        sys.modules["__task__"] = self.module
        sys.argv = [PATH]
        linecache.cache[PATH] = (len(text), None, text.splitlines(True), PATH)

    def load(self):
        exec(compile(self.text, PATH, "exec"), self.module.__dict__)

    def find(self, name):
        main = getattr(self.module, name, None)
        if not callable(main):
            raise TypeError("the code defines no function " + name)
        return main

# A directory of modules, and the name of one of them.
class Module:
    def __init__(self, text):
        directory, self.name = text.rsplit("\n", 1)
        sys.argv = [self.name]
        sys.path.insert(0, directory)
        sys.dont_write_bytecode = True

    def load(self):
        __import__(self.name)
        self.module = sys.modules[self.name]

    def find(self, name):
        found = self.module
        for part in name.split("."):
            found = getattr(found, part, None)
        if not callable(found):
            raise TypeError("module " + self.name + " has no function " + name)
        return found

def provide_dagy(sdk, is_module):
    if sdk:
        sys.path.insert(1 if is_module else 0, sdk)
    if sdk or is_module:
        from importlib.util import find_spec
        if find_spec("dagy"):
            return
    dagy = types.ModuleType("dagy")
    dagy.context = Context()
    sys.modules["dagy"] = dagy

def prepare(text):
    sdk, kind = sys.argv[1:3]
    task = (Module if kind == "module" else Code)(text)
    provide_dagy(sdk, kind == "module")
    return task

# Without the frames of this program.
def outside(trace):
    while trace and trace.tb_frame.f_code.co_filename == "<string>":
        trace = trace.tb_next
    return trace

def answer(document):
    with os.fdopen(3, "w", encoding="utf-8", closefd=False) as channel:
        channel.write(document)
    os.close(3)

def fail(kind, message):
    answer(json.dumps({"error": {"kind": kind, "message": message[:4000]}}))
    return 1

# The exit code.
def attempt(task, function, inputs, is_loaded):
    try:
        if not is_loaded:
            task.load()
        result = task.find(function)(**inputs)
    except Exception as error:
        kind = type(error).__name__
        lines = traceback.format_exception(type(error), error, outside(error.__traceback__))
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
    size, function = data[:line].decode("utf-8").split(" ")
    end = line + 1 + int(size)
    return data[line + 1:end].decode("utf-8"), function, json.loads(data[end:])

def spawn():
    text, function, inputs = read_input()
    task = prepare(text)
    code = attempt(task, function, inputs, False)
    if code != 0:
        sys.exit(code)

# ---- warm interpreters ----

# Why the code cannot be kept warm; the numbers are Refusal's in spawner_protocol.h.
class Refused(Exception):
    pass
FAILS, PRINTS, THREAD, SOCKET, PROCESS = 1, 2, 3, 4, 7

# Loads the task with its output kept aside; every attempt begins with that output.
def load(text, control):
    import threading
    task = prepare(text)
    kept = [os.memfd_create("output"), os.memfd_create("errors")]
    for i, file in enumerate(kept):
        os.dup2(file, i + 1)
    try:
        task.load()
        if isinstance(task, Code):
            task.find("main")
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
    _, function, inputs = read_input()
    for i, data in enumerate(output):
        while data:
            data = data[os.write(i + 1, data):]
    return function, inputs

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

def guarded(task, function, inputs):
    try:
        return attempt(task, function, inputs, True)
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
    function, inputs = take(message, files, output)
    reseed()
    leave(guarded(task, function, inputs))

def worker_mode(control, task, output):
    import socket
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    while True:
        control.send(b"ready")
        message, files, _, _ = socket.recv_fds(control, 1 << 18, 8)
        if not message:
            os._exit(0)
        try:
            function, inputs = take(message, files, output)
            output = []
            code = guarded(task, function, inputs)
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
    text = b""
    while True:
        part = os.read(0, 1 << 20)
        if not part:
            break
        text += part
    try:
        task, output = load(text.decode("utf-8"), control)
    except Refused as reason:
        control.send(b"refused " + str(reason.args[0]).encode())
        os._exit(0)
    control.send(b"loaded")
    (fork_mode if mode == "fork" else worker_mode)(control, task, output)

mode = sys.argv[3]
if mode == "spawn":
    spawn()
else:
    warm(mode)
)py";

}  // namespace

std::string_view python_program() {
  return program;
}

}  // namespace exec
