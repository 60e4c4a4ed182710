"""Completions, the reference, doctor and version: what is made of the tree of commands."""

import json
import pathlib
import subprocess

import conftest
import pytest
import server as servers

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def shell(program, *words):
    return subprocess.run([program, *words], capture_output=True, text=True, timeout=30)


@pytest.fixture
def script(alone):
    def written(name):
        path = alone.home / f"completion.{name}"
        path.write_text(alone("completion", name))
        return path
    return written


CASES = [([""], "runs"), (["ru"], "runs"), (["runs", ""], "cancel"), (["runs", "ca"], "cancel"),
         (["--url", "x", "flows", ""], "show"), (["runs", "start", "--par"], "--parameters"),
         (["completion", "--out"], "--output"), (["admin", "user", ""], "add")]


@pytest.mark.parametrize("words, expected", CASES)
def test_bash(script, words, expected):
    line = " ".join(f'"{word}"' for word in ["dagy", *words])
    done = shell(conftest.BASH, "-c", f"source {script('bash')}; COMP_WORDS=({line}); "
                 f"COMP_CWORD={len(words)}; _dagy; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert expected in done.stdout.split()
    assert all(found.startswith(words[-1]) for found in done.stdout.split())


@pytest.mark.skipif(conftest.ZSH is None, reason="absent here: zsh")
@pytest.mark.parametrize("words, expected", CASES)
def test_zsh(script, words, expected):
    line = " ".join(f'"{word}"' for word in ["dagy", *words])
    done = shell(conftest.ZSH, "-f", "-c",
                 "compdef() { }; _files() { }; compadd() { shift; print -rl -- \"$@\" }; "
                 f"source {script('zsh')}; words=({line}); CURRENT={len(words) + 1}; _dagy")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert expected in done.stdout.split()


@pytest.mark.skipif(conftest.FISH is None, reason="absent here: fish")
@pytest.mark.parametrize("words, expected", CASES)
def test_fish(script, words, expected):
    line = " ".join(["dagy", *words])
    done = shell(conftest.FISH, "--no-config", "-c", f"source {script('fish')}; complete -C '{line}'")
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert expected in [found.split("\t")[0] for found in done.stdout.splitlines()]


def test_completion_of_another_shell(alone):
    alone("completion", "tcsh", code=2)
    alone("completion", code=2)


def test_reference_has_every_command(alone):
    text = alone("commands")
    for command in ("dagy run file", "dagy runs cancel run_id", "dagy keys create", "dagy login",
                    "dagy deployments rollback deployment_name", "dagy doctor", "dagy serve"):
        assert f"`{command}`" in text, command
    assert text == alone("commands", variables={"DAGY_DATA_DIR": "/elsewhere", "LC_ALL": "C"})


def test_every_route_is_a_command(alone):
    """But for those that others do the work of."""
    document = json.loads(alone("openapi"))
    operations = [operation for item in document["paths"].values() for operation in item.values()]
    text = alone("commands")
    hidden = {"login", "logout", "getOpenApi", "getReference", "followRun", "getRunLogs", "getMe",
              "getLiveness", "download", "uploadPart"}
    for operation in operations:
        if operation["operationId"] not in hidden:
            assert f"`: {operation['summary']}." in text, operation["operationId"]
    assert "-by-" not in text  # two routes of one name


def test_version(alone):
    version = alone("version")
    assert version == f"dagy {alone('--version').strip()}\n"


def test_doctor(cli, alone):
    rows = json.loads(cli("doctor", "-o", "json"))["items"]
    status = {row["check"]: row["status"] for row in rows}
    for name in ("config", "server", "version", "clock", "credential", "store", "engine", "python3"):
        assert status[name] == "ok", rows
    assert "isolation" in status
    assert "CHECK" in cli("doctor")
    missing = cli("doctor", variables={"PATH": "/nowhere"})
    assert "warning" in missing
    cli("logout")
    assert "failed" in cli.raw("doctor").stdout.decode() and cli.raw("doctor").returncode == 3
    cli.config.chmod(0o644)
    assert cli.raw("doctor").returncode == 3


def test_help(alone):
    for words in ((), ("runs",), ("runs", "start"), ("serve",), ("admin",)):
        assert "--help" in alone(*words, "--help")
    assert servers.BINARY
