"""Number and installed size of the packages of each section, largest first."""


def main(packages):
    sections = {}
    for package in packages:
        entry = sections.setdefault(package["section"], {"packages": 0, "size_kib": 0})
        entry["packages"] += 1
        entry["size_kib"] += package["size_kib"]
    rows = [{"section": section, **entry} for section, entry in sections.items()]
    rows.sort(key=lambda row: (-row["size_kib"], row["section"]))
    print(f"{len(rows)} sections; the largest is {rows[0]['section'] if rows else 'none'}")
    return rows
