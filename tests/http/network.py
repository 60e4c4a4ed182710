"""A network of the test's own: public, private and metadata addresses that are really there, and a
name server. It is a network namespace that this process enters."""

import ctypes
import fcntl
import os
import pathlib
import socket
import struct
import tempfile
import threading

PUBLIC, PUBLIC_2, PUBLIC_6 = "93.184.215.14", "93.184.215.15", "2606:2800:21f::1"
INNER = ["127.0.0.1", "10.1.2.3", "172.16.9.9", "192.168.7.7", "100.64.0.1", "169.254.169.254", "100.100.100.200",
         "168.63.129.16", "192.0.0.192"]
INNER_6 = ["::1", "fd00:ec2::254", "fd12::1"]
NAME_SERVER = "127.0.0.53"

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x20000, 0x10000000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK = 0x8914, 0x8916, 0x891C
IFF_UP = 1
LOOPBACK_INDEX = 1

libc = ctypes.CDLL(None, use_errno=True)


def must(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def enter():
    """Moves this process, which must have one thread, into a network of its own. OSError where the
    machine does not allow it."""
    user, group = os.geteuid(), os.getegid()
    if user == 0:
        must(libc.unshare(CLONE_NEWNET | CLONE_NEWNS))
    else:
        must(libc.unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS))
        pathlib.Path("/proc/self/setgroups").write_text("deny")
        pathlib.Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        pathlib.Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    must(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None))
    bind(f"nameserver {NAME_SERVER}\noptions timeout:1 attempts:1\n", "/etc/resolv.conf")
    bind("127.0.0.1 localhost\n::1 localhost\n", "/etc/hosts")
    bind("hosts: files dns\n", "/etc/nsswitch.conf")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh", b"lo", IFF_UP))
        for i, address in enumerate([PUBLIC, PUBLIC_2, NAME_SERVER, *INNER[1:]]):
            name = f"lo:{i}".encode()
            fcntl.ioctl(control, SIOCSIFADDR, interface(name, address))
            fcntl.ioctl(control, SIOCSIFNETMASK, interface(name, "255.255.255.255"))
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as control:
        for address in [PUBLIC_6, *INNER_6[1:]]:
            packed = socket.inet_pton(socket.AF_INET6, address)
            fcntl.ioctl(control, SIOCSIFADDR, struct.pack("16sIi", packed, 128, LOOPBACK_INDEX))


def bind(text, path):
    with tempfile.NamedTemporaryFile("w", delete=False) as file:
        file.write(text)
    os.chmod(file.name, 0o644)
    must(libc.mount(file.name.encode(), os.path.realpath(path).encode(), None, MS_BIND, None))
    os.unlink(file.name)


def interface(name, address):
    return struct.pack("16sH2s4s8s", name, socket.AF_INET, b"", socket.inet_aton(address), b"")


class NameServer:
    """Answers A and AAAA queries of `names`: name -> list of answers, each a list of addresses; the
    answers are given in turn, the last one for good. Its time to live is 0."""

    def __init__(self):
        self.names = {}
        self.asked = {}  # (name, family) -> how often
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((NAME_SERVER, 53))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            query, sender = self.socket.recvfrom(4096)
            self.socket.sendto(self.answer(query), sender)

    def answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        kind, = struct.unpack("!H", query[at + 1:at + 3])
        question = query[12:at + 5]
        name = ".".join(labels).lower()
        records = [packed for packed in self.addresses(name, kind)]
        code = 0 if name in self.names else 3
        head = query[:2] + struct.pack("!HHHHH", 0x8580 | code, 1, len(records), 0, 0)
        return head + question + b"".join(
            b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 0, len(each)) + each for each in records)

    def addresses(self, name, kind):
        family = {1: socket.AF_INET, 28: socket.AF_INET6}.get(kind)
        turns = self.names.get(name, [[]])
        turn = self.asked.get((name, kind), 0)
        self.asked[name, kind] = turn + 1
        for address in turns[min(turn, len(turns) - 1)]:
            if (":" in address) == (family == socket.AF_INET6) and family:
                yield socket.inet_pton(family, address)
