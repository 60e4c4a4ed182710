"""Random flows in this process and on a real server: the rules of one against the other's."""

import random

import pytest

import server as servers
from dagy import DagyClient, deploy, flow, noop, run_local, shell, transform

SEEDS = range(60)
TASKS_MAX = 12
RULES = ("all_success", "none_failed", "all_done", "one_success", "one_failed")
ELEMENT = 'if .inputs.item == 0 then error("zero") else [.inputs.item, .inputs.index] end'


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with servers.Server(tmp_path_factory.mktemp("server")) as started:
        made = DagyClient(f"http://localhost:{started.port}")
        made.login(servers.OWNER, servers.PASSWORD)
        yield made


def random_flow(seed):
    """Without fail_fast, where what is cancelled would depend on who is first."""
    chance = random.Random(seed)

    def one(number, earlier):
        options = {"id": f"t{number}", "trigger_rule": chance.choice(RULES),
                   "after": chance.sample(earlier, min(len(earlier), chance.randrange(4)))}
        given = {"given": chance.choice(earlier)} if earlier and chance.random() < 0.6 else {}
        kind = chance.randrange(5)
        if kind == 0:
            return noop(inputs=given, **options)
        if kind == 1:
            return shell("exit 1", inputs=given, retries=chance.randrange(3), **options)
        if kind == 2:
            return shell("cat", inputs=given, **options)
        if kind == 3:
            return transform(".inputs", inputs=given, **options)
        items = [chance.randrange(3) for _ in range(chance.randrange(5))]
        each = next(iter(transform(f"{items}", id=f"list{number}")))
        return [transform(ELEMENT, inputs={"item": each, **given}, max_parallel=1,
                          max_failures=chance.randrange(3), **options)]

    def body():
        made = []
        for number in range(chance.randrange(1, TASKS_MAX)):
            made.append(one(number, made))
        return chance.choice([None, made[0], made])

    def built():  # the same each time that it is built
        chance.seed(seed)
        return body()

    hooks = {kind: [lambda kind=kind: noop(id=kind)] for kind in ("on_success", "on_failure")}
    return flow(name=f"random_{seed}", fail_fast=False, **hooks)(built)


def shown(run):
    tasks = {(each["task_id"], each["map_index"]): (each["status"], each["attempt"],
                                                    each["output"], each["error"])
             for each in run["task_runs"]}
    return {**tasks, "status": run["status"], "output": run["output"]}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_end(client, seed):
    made = random_flow(seed)
    deploy(made, client)
    assert shown(run_local(made)) == shown(client.run(made.name))
