"""Number and installed size of the packages of each maintainer, largest first."""


def main(packages):
    maintainers = {}
    for package in packages:
        entry = maintainers.setdefault(package["maintainer"], {"packages": 0, "size_kib": 0})
        entry["packages"] += 1
        entry["size_kib"] += package["size_kib"]
    rows = [{"maintainer": maintainer, **entry} for maintainer, entry in maintainers.items()]
    rows.sort(key=lambda row: (-row["size_kib"], row["maintainer"]))
    print(f"{len(rows)} maintainers")
    return rows
