"""Writes everything into one SQLite file, which appears whole or not at all."""

import os
import sqlite3

SCHEMA = """
CREATE TABLE packages (
  name TEXT NOT NULL, architecture TEXT NOT NULL, version TEXT NOT NULL, section TEXT NOT NULL,
  maintainer TEXT NOT NULL, size_kib INTEGER NOT NULL, PRIMARY KEY (name, architecture));
CREATE TABLE sections (
  section TEXT PRIMARY KEY, packages INTEGER NOT NULL, size_kib INTEGER NOT NULL);
CREATE TABLE maintainers (
  maintainer TEXT PRIMARY KEY, packages INTEGER NOT NULL, size_kib INTEGER NOT NULL);
CREATE TABLE dependents (package TEXT PRIMARY KEY, dependents INTEGER NOT NULL);
"""


def fill(connection, table, columns, rows):
    places = ", ".join(":" + column for column in columns)
    connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", rows)
    print(f"{table}: {len(rows)} rows")


def main(output_dir, packages, sections, maintainers, dependencies):
    os.makedirs(output_dir, exist_ok=True)
    path = os.path.join(output_dir, "inventory.sqlite")
    unfinished = path + ".new"
    if os.path.exists(unfinished):  # of an attempt that was ended
        os.remove(unfinished)
    connection = sqlite3.connect(unfinished)
    with connection:
        connection.executescript(SCHEMA)
        fill(connection, "packages",
             ["name", "architecture", "version", "section", "maintainer", "size_kib"], packages)
        fill(connection, "sections", ["section", "packages", "size_kib"], sections)
        fill(connection, "maintainers", ["maintainer", "packages", "size_kib"], maintainers)
        fill(connection, "dependents", ["package", "dependents"], dependencies)
    connection.close()
    os.replace(unfinished, path)
    return path
