"""Runs the example on this machine's package database and holds each number against dpkg-query.

The package database must not change while this runs; if it does, the comparison is made again.
"""

import collections
import json
import os
import pathlib
import re
import sqlite3
import subprocess
import xml.etree.ElementTree

import pytest

import server as servers

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
FLOW = REPOSITORY / "examples" / "debian_inventory" / "flow.py"
STATUS = pathlib.Path("/var/lib/dpkg/status")
RUN_SECONDS = 120
FIELD, RECORD = "\x1f", "\x1e"


def dpkg_query(*fields):
    """The fields of each installed package, by dpkg's own reading of its database."""
    wanted = FIELD.join("${%s}" % field for field in ("db:Status-Status", *fields)) + RECORD
    text = subprocess.run(["dpkg-query", "-W", "-f=" + wanted], capture_output=True, check=True,
                          text=True, env={**os.environ, "LC_ALL": "C.UTF-8"}).stdout
    rows = [record.split(FIELD) for record in text.split(RECORD)[:-1]]
    return [row[1:] for row in rows if row[0] == "installed"]


def sizes_by(field):
    """{value of the field: (packages, KiB)}"""
    found = collections.defaultdict(lambda: (0, 0))
    for value, size in dpkg_query(field, "Installed-Size"):
        packages, kib = found[value or "(none)"]
        found[value or "(none)"] = (packages + 1, kib + int(size or 0))
    return dict(found)


def dependents():
    """{package: how many packages name it}, counted the other way round: searched for by name."""
    rows = dpkg_query("Package", "Pre-Depends", "Depends")
    counts = {}
    relations = [set(re.findall(r"(?:^|[,|])\s*([a-z0-9][a-z0-9+.-]+)", before + "," + depends))
                 for _, before, depends in rows]
    for name in {row[0] for row in rows}:
        count = sum(name in named for named in relations)
        if count:
            counts[name] = count
    return counts


class Example:
    """One run of the example by the client that people use."""

    def __init__(self, server, output_dir):
        environment = {"PATH": os.environ["PATH"], "HOME": str(server.data_dir.parent),
                       "DAGY_URL": f"http://127.0.0.1:{server.port}"}

        def dagy(*words, **more):
            done = subprocess.run([servers.BINARY, *words], env=environment, capture_output=True,
                                  text=True, timeout=RUN_SECONDS, **more)
            assert done.returncode == 0, done.stdout + done.stderr
            return done

        dagy("login", "--email", servers.OWNER, input=servers.PASSWORD + "\n")
        self.done = dagy("run", "--server", str(FLOW), "-p", f"output_dir={output_dir}")
        self.log = self.done.stderr
        self.result = json.loads(self.done.stdout)
        self.database = sqlite3.connect(f"file:{output_dir}/inventory.sqlite?mode=ro", uri=True)
        self.report = output_dir / "report.html"

    def rows(self, query):
        return self.database.execute(query).fetchall()

    def sizes(self, column, table):
        return {value: (packages, kib) for value, packages, kib in
                self.rows(f"SELECT {column}, packages, size_kib FROM {table}")}


class Expected:
    """What dpkg says."""

    def __init__(self):
        self.packages = sorted(
            (name, architecture, version, section or "(none)", maintainer or "(none)", int(size or 0))
            for name, architecture, version, section, maintainer, size in dpkg_query(
                "Package", "Architecture", "Version", "Section", "Maintainer", "Installed-Size"))
        self.sections = sizes_by("Section")
        self.maintainers = sizes_by("Maintainer")
        self.dependents = dependents()


def open_to_tasks(directory):
    """When the server is root they have a user of their own."""
    directory.chmod(0o777)
    return directory


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with servers.Server(tmp_path_factory.mktemp("server"),
                        DAGY_ALLOWED_PATHS=open_to_tasks(tmp_path_factory.getbasetemp())) as started:
        yield started


@pytest.fixture(scope="module")
def example_and_expected(server, tmp_path_factory):
    for _ in range(3):
        before = STATUS.read_bytes()
        made = Example(server, open_to_tasks(tmp_path_factory.mktemp("output"))), Expected()
        if STATUS.read_bytes() == before:
            return made
    raise AssertionError("somebody keeps installing packages on this machine")


@pytest.fixture(scope="module")
def example(example_and_expected):
    return example_and_expected[0]


@pytest.fixture(scope="module")
def expected(example_and_expected):
    return example_and_expected[1]


def test_packages(example, expected):
    assert len(expected.packages) > 50
    columns = "name, architecture, version, section, maintainer, size_kib"
    assert sorted(example.rows(f"SELECT {columns} FROM packages")) == expected.packages


def test_sections(example, expected):
    assert example.sizes("section", "sections") == expected.sections


def test_maintainers(example, expected):
    assert example.sizes("maintainer", "maintainers") == expected.maintainers


def test_dependents(example, expected):
    assert dict(example.rows("SELECT package, dependents FROM dependents")) == expected.dependents


def test_result(example, expected):
    result = dict(example.result)
    assert result.pop("packages") == len(expected.packages)
    assert result.pop("size_kib") == sum(package[-1] for package in expected.packages)
    assert result.pop("sections") == len(expected.sections)
    assert result.pop("maintainers") == len(expected.maintainers)
    sections = sorted(expected.sections, key=lambda name: (-expected.sections[name][1], name))
    assert result.pop("largest_section") == sections[0]
    needed = sorted(expected.dependents, key=lambda name: (-expected.dependents[name], name))
    assert result.pop("most_depended") == needed[0]
    assert pathlib.Path(result.pop("report")) == example.report
    assert pathlib.Path(result.pop("database")).name == "inventory.sqlite"
    assert result == {}


def test_database_is_sound(example):
    assert example.rows("PRAGMA integrity_check") == [("ok",)]


def test_report(example, expected):
    page = xml.etree.ElementTree.parse(example.report).getroot()
    text = " ".join(" ".join(page.itertext()).split())
    assert f"{len(expected.packages):,} packages installed" in text
    bars = page.findall(".//svg/rect")
    assert len(bars) == 2 * min(15, len(expected.sections))  # a track and a bar each
    # The longest bar is that of the largest section, the others are in proportion.
    largest, second = sorted((kib for _, kib in expected.sections.values()), reverse=True)[:2]
    lengths = [float(bar.get("width")) for bar in bars[1::2]]
    assert lengths[1] / lengths[0] == pytest.approx(second / largest, abs=0.01)
    most = max(expected.dependents.values())
    cells = [cell.text for cell in page.findall(".//table")[0].findall(".//td")]
    assert cells[1] == str(most)
    assert not [each for each in page.iter() if {"src", "href"} & set(each.keys())]  # self-contained


def test_log(example):
    assert "snapshot       RETRYING after attempt 1: exit code 75" in example.log
    assert "SUCCEEDED after" in example.log
    assert "9 of 9 tasks succeeded" in example.log


def test_second_run_is_the_same_version(server, example, tmp_path):
    second = Example(server, open_to_tasks(tmp_path) / "made" / "by the flow")
    assert "debian_inventory version 1: run" in second.log
    assert second.result["packages"] == example.result["packages"]
