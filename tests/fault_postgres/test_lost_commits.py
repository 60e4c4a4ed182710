"""The connection is lost at a COMMIT: before it, on its way, after its answer; again and again."""

import random
import time

import pytest

import processes
from gate import ANSWERED, BEFORE, HOLD, PASS, REFUSE, SENT
from load import Caller
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


def test_and_silence(node, gate, database, seed, tmp_path):
    """A COMMIT comes to the server long after the engine has given its connection up."""
    draw = random.Random(seed)
    with Work(node, tmp_path, seed, slowest=45) as work:
        cut(gate, draw, BEFORE, HOLD)
        time.sleep(SILENT_SECONDS)
        gate.open()
        print(f"goes on after {work.goes_on():.2f} s")
        assert work.finish() == 0
    assert node.stop() == 0
    work.check_stopped(node)
    assert ASKS in node.log() or "lost" in node.log()
