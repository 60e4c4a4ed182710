#!/usr/bin/env python3
"""Writes docs/api/openapi.json, docs/settings.md and docs/cli.md from the program itself.

With --check nothing is written: a difference is shown and the exit code is 1.
"""

import argparse
import difflib
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
SETTINGS_HEAD = """\
# Settings

Made by `scripts/export_openapi.py` from `dagy settings`; do not edit. A flag wins over a variable, a
variable over the file that `--config` or `DAGY_CONFIG` names. A setting without a flag may hold a
secret and is only read from its variable. An unknown `DAGY_` variable is ignored with a warning.

"""
CLI_HEAD = """\
# The command line

Made by `scripts/export_openapi.py` from `dagy commands`; do not edit. Commands of plain resources come
from the route table: a new route is a new command.

Exit codes: 0 done, 1 failed (also a run that did), 2 wrong usage or refused input, 3 credential, 4 network
or a server that is not ready, 5 not found; 130 after Ctrl-C. The server is `--url`, `DAGY_URL` or the
profile's; the credential `DAGY_TOKEN` or the profile's, which goes to that profile's server alone. A value
`@FILE` is the text of that file, `@-` standard input.

"""


def documents(binary):
    """Path of each generated file and what must be in it."""
    def printed(command):
        return subprocess.run([binary, command], check=True, capture_output=True, text=True).stdout

    return {
        ROOT / "docs" / "api" / "openapi.json": printed("openapi"),
        ROOT / "docs" / "settings.md": SETTINGS_HEAD + printed("settings"),
        ROOT / "docs" / "cli.md": CLI_HEAD + printed("commands"),
    }


def difference(path, wanted):
    present = path.read_text(encoding="utf-8") if path.exists() else ""
    name = str(path.relative_to(ROOT))
    return list(difflib.unified_diff(present.splitlines(True), wanted.splitlines(True),
                                     name, name + " (as the program prints it)"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only")
    parser.add_argument("--binary", default=os.environ.get("DAGY_BINARY", str(ROOT / "build/dagy")))
    options = parser.parse_args()
    differs = False
    for path, wanted in documents(options.binary).items():
        lines = difference(path, wanted)
        differs = differs or bool(lines)
        if options.check:
            sys.stdout.writelines(lines)
        elif lines:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted, encoding="utf-8")
    return 1 if options.check and differs else 0


if __name__ == "__main__":
    sys.exit(main())
