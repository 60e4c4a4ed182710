"""What is installed on this Debian machine. The tasks are plain functions, one a file."""

import pathlib
from typing import Annotated

from dagy import flow, shell, task, transform
from tasks import (by_maintainer, by_section, database, most_depended, parse, report, summary)

TASKS = pathlib.Path(__file__).parent / "tasks"


@flow(tags={"example": "true"})
def debian_inventory(
        output_dir: Annotated[str, "absolute directory for inventory.sqlite and report.html; made "
                                   "if it is missing"],
        status_file: Annotated[str, "dpkg's database"] = "/var/lib/dpkg/status"):
    """What is installed on this Debian machine: sizes, maintainers, dependencies"""
    snapshot = shell((TASKS / "snapshot.sh").read_text(encoding="utf-8"), id="snapshot",
                     name="Copy the package database", inputs={"status_file": status_file},
                     retries=20, retry_delay_seconds=1, retry_on=["exit_code"], timeout_seconds=60)
    packages = task(parse.main, id="parse", name="Read the installed packages",
                    timeout_seconds=120)(snapshot)

    sections = task(by_section.main, id="by_section", name="Sizes by section")(packages)
    maintainers = task(by_maintainer.main, id="by_maintainer",
                       name="Sizes by maintainer")(packages)
    dependencies = task(most_depended.main, id="most_depended",
                        name="Most depended-upon packages")(packages)
    largest = transform((TASKS / "largest.jq").read_text(encoding="utf-8"), id="largest",
                        name="Largest packages", inputs={"packages": packages})

    written = task(database.main, id="database", name="Write the SQLite file")(
        output_dir, packages, sections, maintainers, dependencies)
    page = task(report.main, id="report", name="Write the HTML report")(
        output_dir, snapshot, sections, maintainers, dependencies, largest)
    return task(summary.main, id="summary", name="Check and sum up")(written, page)
