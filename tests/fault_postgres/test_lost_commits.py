"""The connection is lost at a COMMIT: before it, on its way, after its answer; again and again."""

import contextlib
import random
import time

import pytest

from gate import ANSWERED, BEFORE, HOLD, PASS, REFUSE, SENT, Gate
from load import Caller
from node import Database
from work import Registrations, Work

PLACES = (BEFORE, SENT, ANSWERED)
CUTS = 15  # at each place
REFUSED_SECONDS = 5
SILENT_SECONDS = 40  # longer than postgres_silence_max
ASKS = "finding out what became of it"


@pytest.fixture
def node(make_node, database, gate):
    return make_node(DAGY_DATABASE_URL=gate.url(database.url)).start()


def cut(gate, draw, where, then=PASS):
    gate.cut_at_commit(where, draw.randint(1, 6), then).wait()


def test_of_the_engine(node, gate, seed, tmp_path):
    """A batch is written once: nothing that the engine decided is lost or done twice."""
    draw = random.Random(seed)
    with Work(node, tmp_path, seed) as work:
        for where in PLACES:
            for _ in range(CUTS):
                cut(gate, draw, where)
        work.goes_on()
        assert work.finish() == 0
    assert node.stop() == 0
    work.check_stopped(node)
    asked = node.log().count(ASKS)
    print(f"{gate.commits} commits, {asked} of the engine's {3 * CUTS} lost outcomes asked for")
    assert asked > CUTS


def test_of_requests(node, gate, database, seed):
    """Nobody hears of it: what was rolled back is done again, what was committed is not."""
    draw = random.Random(seed)
    token = Caller(node).log_in().token
    with Registrations(node, token) as made:
        for where in PLACES:
            for _ in range(CUTS):
                cut(gate, draw, where)
    refused = made.check(database)
    print(f"{len(made.told)} flows registered, {refused} refused, {3 * CUTS} connections cut")
    assert refused == 0 and len(made.told) > 3 * CUTS
    assert node.stop() == 0


@pytest.mark.parametrize("where", [SENT, ANSWERED])
def test_and_no_new_connection_for_a_while(node, gate, database, seed, tmp_path, where):
    draw = random.Random(seed)
    with Work(node, tmp_path, seed) as work:
        with Registrations(node, work.caller.token) as made:
            cut(gate, draw, where, REFUSE)
            time.sleep(REFUSED_SECONDS)
            gate.open()
            print(f"goes on after {work.goes_on():.2f} s")
        assert work.finish() == 0
        refused = made.check(database)
        print(f"{len(made.told)} flows registered, {refused} refused")
    assert node.stop() == 0
    work.check_stopped(node)
    assert work.probe.refused() > 0


class Silence:
    """A server whose connection is held at a COMMIT, with all others."""

    def __init__(self, make_node, name, database, draw, directory):
        self.gate = Gate.to(database.url)
        url = self.gate.url(database.url)
        self.node = make_node(name, database, DAGY_DATABASE_URL=url).start()
        self.work = Work(self.node, directory, draw.random(), slowest=45)
        self.work.__enter__()
        cut(self.gate, draw, BEFORE, HOLD)

    def check(self):
        print(f"goes on after {self.work.goes_on(20):.2f} s")
        assert self.work.finish() == 0
        assert self.node.stop() == 0
        self.work.check_stopped(self.node)
        assert '"status":503' in self.node.log()  # the silence was felt

    def end(self):
        self.work.stop()
        self.gate.close()


def test_and_silence(cluster, make_node, seed, tmp_path):
    """The COMMIT comes to the server long after the engine has given its connection up, or never: the
    server still holds its transaction open then."""
    draw = random.Random(seed)
    with contextlib.ExitStack() as ends:
        both = []
        for name in ("late", "never"):
            evidence = tmp_path / f"{name}.evidence"
            evidence.mkdir()
            evidence.chmod(0o777)
            made = Silence(make_node, name, Database(cluster), draw, evidence)
            ends.callback(made.end)
            both.append(made)
        late, never = both
        never.gate.open_to_new()
        time.sleep(SILENT_SECONDS)
        late.gate.open()
        late.check()
        never.check()
