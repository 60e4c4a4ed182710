"""For all folders: which database the servers have, and which tests are for one of them alone."""

import pytest

import database

ABSENT = []  # (test, why)


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "sqlite_only(why): is about SQLite itself, or about what only its files can suffer")


def pytest_collection_modifyitems(config, items):
    if database.KIND == "sqlite":
        return
    left_out = [item for item in items if item.get_closest_marker("sqlite_only")]
    ABSENT.extend((item.nodeid, item.get_closest_marker("sqlite_only").args[0]) for item in left_out)
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


def pytest_terminal_summary(terminalreporter):
    for test, why in ABSENT:
        terminalreporter.write_line(f"absent on {database.KIND}: {test} ({why})")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown(item):
    yield  # its servers end
    if "tmp_path" in item.funcargs:  # a fixture before it may have left the test out
        database.drop_below(item.funcargs["tmp_path"])
