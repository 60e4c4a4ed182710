"""Opens what was written, checks that it agrees with itself and sums it up."""

import sqlite3
import xml.etree.ElementTree


def main(database, report):
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)

    def one(query):
        return connection.execute(query).fetchone()

    packages, size_kib = one("SELECT COUNT(*), COALESCE(SUM(size_kib), 0) FROM packages")
    for table in ("sections", "maintainers"):
        total = one(f"SELECT COALESCE(SUM(packages), 0), COALESCE(SUM(size_kib), 0) FROM {table}")
        if total != (packages, size_kib):
            raise ValueError(f"{table} sum up to {total}, packages to {(packages, size_kib)}")
    section = one("SELECT section, size_kib FROM sections ORDER BY size_kib DESC, section")
    needed = one("SELECT package, dependents FROM dependents ORDER BY dependents DESC, package")
    sections, = one("SELECT COUNT(*) FROM sections")
    maintainers, = one("SELECT COUNT(*) FROM maintainers")
    connection.close()
    xml.etree.ElementTree.parse(report)  # raises if it is not well-formed

    print(f"{packages} packages, {size_kib / 1024:,.0f} MiB")
    return {
        "packages": packages,
        "size_kib": size_kib,
        "sections": sections,
        "maintainers": maintainers,
        "largest_section": section and section[0],
        "most_depended": needed and needed[0],
        "database": database,
        "report": report,
    }
