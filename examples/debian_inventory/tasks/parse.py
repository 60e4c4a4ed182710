"""Reads the installed packages out of the copy of dpkg's database."""

import re


def stanzas(path):
    """Each paragraph as a dict; continuation lines (descriptions, file lists) are left out."""
    fields = {}
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            if line == "\n":
                if fields:
                    yield fields
                fields = {}
            elif not line[0].isspace():
                name, _, value = line.partition(":")
                fields[name] = value.strip()
    if fields:
        yield fields


def names_in(relation):
    """Package names of a dependency field: "a (>= 1) | b:any, c [amd64]" names a, b and c."""
    alternatives = re.split(r"[,|]", relation)
    return {re.split(r"[\s:(\[]", each.strip())[0] for each in alternatives if each.strip()}


def main(snapshot):
    packages = []
    found = 0
    for fields in stanzas(snapshot["path"]):
        found += 1
        # Status is "want flag state"; removed packages with configuration left are not installed.
        if fields["Status"].split()[2] != "installed":
            continue
        named = names_in(fields.get("Pre-Depends", "")) | names_in(fields.get("Depends", ""))
        packages.append({
            "name": fields["Package"],
            "architecture": fields["Architecture"],
            "version": fields["Version"],
            "section": fields.get("Section", "(none)"),
            "maintainer": fields.get("Maintainer", "(none)"),
            "size_kib": int(fields.get("Installed-Size", 0)),
            "depends": sorted(named),
        })
        if len(packages) % 200 == 0:
            print(f"{found} of {snapshot['stanzas']} read")
    if found != snapshot["stanzas"]:
        raise ValueError(f"awk counted {snapshot['stanzas']} packages, this parser {found}")
    print(f"{len(packages)} installed, {found - len(packages)} not")
    return packages
