"""How many installed packages name each installed package in Depends or Pre-Depends.

Any place counts, also an alternative; a package counts once for each that it names. Names that are
only virtual are left out.
"""

from collections import Counter


def main(packages):
    installed = {package["name"] for package in packages}
    dependents = Counter()
    for package in packages:
        dependents.update(name for name in package["depends"] if name in installed)
    rows = [{"package": name, "dependents": count} for name, count in dependents.items()]
    rows.sort(key=lambda row: (-row["dependents"], row["package"]))
    print(f"{len(rows)} of {len(installed)} packages are needed by another")
    return rows
