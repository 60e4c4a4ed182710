"""A gate on the way to PostgreSQL: a test shuts it, or has it cut exactly at a COMMIT.

It reads the protocol (version 3, without TLS) in both directions and forwards whole messages only. A
COMMIT is a statement that begins with COMMIT or END: in a Query, or in a prepared statement that is
executed.
"""

import asyncio
import collections
import re
import socket
import struct
import threading
import urllib.parse

PASS, REFUSE, HOLD = "pass", "refuse", "hold"
# Where a COMMIT is cut: it does not reach the server; it does, and the client does not wait for its
# end; it has ended, and its reply is thrown away.
BEFORE, SENT, ANSWERED = "before", "sent", "answered"

SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST = 80877103, 80877104, 80877102
SYNC = b"S" + struct.pack("!i", 4)
WAIT_SECONDS = 30
COMMENT_OR_LITERAL = re.compile(
    r"""--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|"[^"]*"|\$(\w*)\$.*?\$\1\$""", re.DOTALL)


def are_commits(text):
    """Of each statement in the text, whether it is a COMMIT."""
    def replace(match):
        return " " if match.group().startswith(("--", "/*")) else "x"
    statements = [each.split() for each in COMMENT_OR_LITERAL.sub(replace, text).split(";")]
    return [words[0].upper() in ("COMMIT", "END") for words in statements if words]


def text_at(body, at):
    """A string that ends with a zero byte, and where the next thing begins."""
    end = body.index(b"\0", at)
    return body[at:end].decode(errors="replace"), end + 1


class Commits:
    """Which messages of one connection execute or answer a COMMIT; `next_number` counts COMMITs."""

    def __init__(self, next_number):
        self.next_number = next_number
        self.prepared = {}  # statement -> is it a COMMIT
        self.portals = {}
        # What the server has still to answer, in order: the number of a COMMIT, 0 for another
        # statement, None for the end of a part that an error ends early.
        self.awaited = collections.deque()

    def sent(self, kind, body):
        """Notes a message of the client; the numbers of the COMMITs that it executes."""
        executed = []
        if kind == b"Q":
            executed = are_commits(text_at(body, 0)[0]) or [False]  # an empty one is answered too
        elif kind == b"P":
            name, at = text_at(body, 0)
            self.prepared[name] = any(are_commits(text_at(body, at)[0]))
        elif kind == b"B":
            portal, at = text_at(body, 0)
            self.portals[portal] = self.prepared.get(text_at(body, at)[0], False)
        elif kind == b"E":
            executed = [self.portals.get(text_at(body, 0)[0], False)]
        numbers = [self.next_number() if is_commit else 0 for is_commit in executed]
        self.awaited.extend(numbers)
        if kind in (b"Q", b"S", b"F"):
            self.awaited.append(None)
        return [number for number in numbers if number]

    def received(self, kind):
        """Notes a message of the server; the numbers of the COMMITs that it answers."""
        answered = []
        if kind in (b"C", b"I", b"s"):
            if self.awaited and self.awaited[0] is not None:
                answered.append(self.awaited.popleft())
        elif kind in (b"E", b"Z"):  # an error: the rest of this part is skipped
            while self.awaited and self.awaited[0] is not None:
                answered.append(self.awaited.popleft())
            if kind == b"Z" and self.awaited:
                self.awaited.popleft()
        return [number for number in answered if number]


class Side(asyncio.Protocol):
    """One of the two ends of a link."""

    def __init__(self, link):
        self.link = link
        self.buffer = bytearray()
        self.transport = None
        self.other = None

    def connection_made(self, transport):
        self.transport = transport
        self.link.connected(self)

    def data_received(self, data):
        self.buffer += data
        self.link.forward()

    def connection_lost(self, _):
        self.transport = None
        self.link.ended(self)

    # The other end is read no faster than this one takes it.
    def pause_writing(self):
        self.other.pause()

    def resume_writing(self):
        if not self.link.is_held:
            self.other.resume()

    def pause(self):
        if self.transport:
            self.transport.pause_reading()

    def resume(self):
        if self.transport:
            self.transport.resume_reading()

    def reset(self):
        if self.transport:
            self.transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()


class Link:
    """One connection of a client and, once the gate lets it pass, one to the server."""

    def __init__(self, gate):
        self.gate = gate
        self.client, self.server = Side(self), Side(self)
        self.client.other, self.server.other = self.server, self.client
        self.commits = Commits(gate.next_commit)
        self.is_starting = True  # the client's messages have no kind yet
        self.encryption_asked = 0  # answers of one byte that the server owes
        self.fault = None  # of a COMMIT of this link
        self.is_waiting = False  # for the answer to that COMMIT, with all that comes after it
        self.kept = None  # a side and the message that it gets when the link is held no more
        self.connecting = None
        self.is_held = gate.mode == HOLD
        self.is_draining = False  # the client is gone; the server may finish
        self.is_over = False

    def connected(self, side):
        if self.is_over:  # meanwhile
            side.reset()
            return
        if self.is_held:
            side.pause()
        elif side is self.client:
            self.connect()
        else:
            self.forward()

    def connect(self):
        if self.connecting is None:
            self.connecting = self.gate.loop.create_task(self._connect())

    async def _connect(self):
        try:
            await self.gate.loop.create_connection(lambda: self.server, *self.gate.target)
        except OSError:
            self.cut()

    def hold(self):
        self.is_held = True
        self.client.pause()
        self.server.pause()

    def release(self):
        if not self.is_held:
            return
        self.is_held = False
        self.connect()
        if self.kept:
            side, message = self.kept
            side.transport.write(message)
            self.kept = None
        self.client.resume()
        self.server.resume()
        self.forward()

    def cut(self):
        self.is_over = True
        self.gate.links.discard(self)
        self.client.reset()
        self.server.reset()

    def cut_client(self):
        """The server is listened to until it has answered: it would give up a statement if it could
        not send what came before it."""
        self.is_draining = True
        self.gate.links.discard(self)
        self.gate.draining.add(self)
        self.client.reset()
        self.server.resume()

    def ended(self, side):
        """One end has closed: the other may take what is still on its way to it."""
        if self.is_draining and side is self.client:
            return
        self.is_over = True
        self.gate.links.discard(self)
        self.gate.draining.discard(self)
        if side.other.transport:
            side.other.transport.close()

    def forward(self):
        """All whole messages of both sides, until something stops them."""
        self._forward_client()
        while self._may_forward() and self._forward_one_of_server():
            pass
        self._forward_client()  # it may have waited for an answer

    def _forward_client(self):
        while (self._may_forward() and not self.is_draining and not self.is_waiting
               and self._forward_one_of_client()):
            pass

    def _may_forward(self):
        return self.server.transport and not self.is_held and not self.is_over

    def _forward_one_of_client(self):
        message = take(self.client.buffer, 0 if self.is_starting else 1)
        if message is None:
            return False
        kind = message[:1]
        if self.is_starting:
            self._note_start(message)
        elif (numbers := self.commits.sent(kind, message[5:])):
            self.fault = self.gate.fault_at(numbers) or self.fault
            if self.fault and self.fault.number in numbers:
                self._fault_at(message)
                return True
        self.server.transport.write(message)
        # Only with this the server tells what it has done.
        self.is_waiting = self.fault is not None and kind in (b"S", b"H")
        return True

    def _note_start(self, message):
        code, = struct.unpack_from("!i", message, 4)
        if code in (SSL_REQUEST, GSS_REQUEST):
            self.encryption_asked += 1
        elif code != CANCEL_REQUEST:
            self.is_starting = False

    def _fault_at(self, message):
        if self.fault.where == BEFORE:
            self.fault.happen(self, self.server, message)
            return
        self.server.transport.write(message)
        self.is_waiting = message[:1] == b"Q"
        if self.fault.where == SENT:
            if self.fault.then != HOLD and not self.is_waiting:
                self.server.transport.write(SYNC)  # the client will send none
            self.fault.happen(self)

    def _forward_one_of_server(self):
        if self.encryption_asked and self.server.buffer:
            answer = bytes(self.server.buffer[:1])
            assert answer == b"N", "the server encrypts, or is no PostgreSQL"
            self.encryption_asked -= 1
            del self.server.buffer[:1]
            self.client.transport.write(answer)
            return True
        message = take(self.server.buffer, 1)
        if message is None:
            return False
        numbers = self.commits.received(message[:1])
        fault = self.fault
        if fault is None or fault.number not in numbers:
            if not self.is_draining:
                self.client.transport.write(message)
            return True
        self.fault, self.is_waiting = None, False
        if self.is_draining:
            self.server.reset()
        elif fault.where == ANSWERED:
            fault.happen(self, self.client, message)
        else:
            self.client.transport.write(message)
        return True


def take(buffer, kind_bytes):
    """The first message of the buffer, if all of it is there."""
    if len(buffer) < kind_bytes + 4:
        return None
    length, = struct.unpack_from("!i", buffer, kind_bytes)
    if len(buffer) < kind_bytes + length:
        return None
    message = bytes(buffer[:kind_bytes + length])
    del buffer[:kind_bytes + length]
    return message


class Fault:
    """What happens at one COMMIT."""

    def __init__(self, gate, where, number, then):
        self.gate, self.where, self.number, self.then = gate, where, number, then
        self.has_happened = threading.Event()

    def happen(self, link, side=None, message=None):
        """At this message on its way to this side."""
        if self.then == HOLD:
            link.kept = side and (side, message)
        elif self.where == SENT:
            link.cut_client()
        else:
            link.cut()
        self.gate.enter(self.then)
        self.has_happened.set()

    def wait(self, seconds=WAIT_SECONDS):
        assert self.has_happened.wait(seconds), f"no such COMMIT came within {seconds} s"


class Gate:
    """Listens on a port of its own, which it keeps. Also a context manager. Its methods may be called
    from any thread, and have happened when they return."""

    def __init__(self, host, port):
        self.target = host, port
        self.mode = REFUSE
        self.links = set()
        self.draining = set()  # links without a client
        self.silent = set()  # links that are held for good
        self.fault = None
        self.commits = 0  # that have come to it, those that it cut too
        self.problems = []  # of the gate itself
        self.listener = None
        # Bound and not listening, it keeps the port while nobody listens.
        self.port_holder = socket.socket()
        self.port_holder.bind(("127.0.0.1", 0))
        self.port_holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.port = self.port_holder.getsockname()[1]
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda _, context: self.problems.append(context))
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.open()

    @classmethod
    def to(cls, url):
        """To the server of this URL."""
        parts = urllib.parse.urlsplit(url)
        return cls(parts.hostname, parts.port or 5432)

    def url(self, url):
        """The same through the gate."""
        parts = urllib.parse.urlsplit(url)
        place = f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{self.port}"
        return urllib.parse.urlunsplit(parts._replace(netloc=place))

    def open(self):
        """Everything passes, what was held too."""
        self._do(self.enter, PASS)

    def open_to_new(self):
        """New connections pass; those that are held stay so, as if their packets were dropped."""
        self._do(self._leave_held)

    def cut(self):
        """Ends all connections now, with a reset on both sides; new ones fare as before. As in life,
        what a reset overtakes is lost: answers that were passed on may not be read any more."""
        self._do(self._cut_all)

    def refuse(self):
        """Ends all connections, and refuses new ones."""
        self._do(self.enter, REFUSE)

    def hold(self):
        """A black hole: connections stay and new ones are accepted, and nothing comes through."""
        self._do(self.enter, HOLD)

    def cut_at_commit(self, where, number=1, then=PASS):
        """Ends the connection of the N-th COMMIT from now on: BEFORE it, when it is SENT, or when it
        is ANSWERED. `then` is the gate's mode from there on; with HOLD this connection is held
        there too, instead of ended. Returns the Fault, to wait for."""
        return self._do(self._arm, where, number, then)

    def connections(self):
        return self._do(lambda: len(self.links))

    def close(self):
        asyncio.run_coroutine_threadsafe(self._end(), self.loop).result(WAIT_SECONDS)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()
        self.port_holder.close()
        assert not self.problems, self.problems

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    # ---- in the loop's thread ----

    def _do(self, function, *arguments):
        async def call():
            return function(*arguments)
        return asyncio.run_coroutine_threadsafe(call(), self.loop).result(WAIT_SECONDS)

    async def _end(self):
        self.enter(REFUSE)
        for link in [*self.draining, *self.silent]:
            link.cut()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)  # aborted connections are closed in the next round

    def _arm(self, where, number, then):
        assert where in (BEFORE, SENT, ANSWERED) and then in (PASS, REFUSE, HOLD)
        self.fault = Fault(self, where, self.commits + number, then)
        return self.fault

    def next_commit(self):
        self.commits += 1
        return self.commits

    def fault_at(self, numbers):
        """The fault of one of these COMMITs; it happens once."""
        if self.fault is None or self.fault.number not in numbers:
            return None
        fault, self.fault = self.fault, None
        return fault

    def enter(self, mode):
        self.mode = mode
        if mode == REFUSE:
            self._listen_no_more()
            self._cut_all()
            return
        self._listen()
        for link in list(self.links):
            if mode == HOLD:
                link.hold()
            else:
                link.release()

    def _leave_held(self):
        self.silent |= self.links
        self.links.clear()
        self.enter(PASS)

    def _cut_all(self):
        for link in list(self.links):
            link.cut()

    def _listen(self):
        if self.listener:
            return
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen(128)
        self.listener.setblocking(False)
        self.loop.add_reader(self.listener, self._accept)

    def _listen_no_more(self):
        if self.listener:
            self.loop.remove_reader(self.listener)
            self.listener.close()
            self.listener = None

    def _accept(self):
        try:
            accepted, _ = self.listener.accept()
        except OSError:  # it has gone again
            return
        # What is forwarded message by message must not wait for acknowledgements.
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = Link(self)
        self.links.add(link)
        self.loop.create_task(self.loop.connect_accepted_socket(lambda: link.client, accepted))
