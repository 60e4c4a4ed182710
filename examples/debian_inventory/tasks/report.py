"""Writes the report: one HTML file with a chart, no script, nothing from elsewhere."""

import os
import socket
from datetime import datetime, timezone
from html import escape

BARS_MAX = 14
ROWS_MAX = 12

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #667085; --line: #e4e7ec;
  --page: #f7f8fa; --card: #ffffff; --bar: #c2185b; --bar-end: #e8698f; --track: #f1f2f5; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7eaf0; --soft: #98a2b3; --line: #2b3240;
  --page: #12161d; --card: #1a2029; --bar: #e8507f; --bar-end: #f08cab; --track: #232a35; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 40px 24px 56px; }
h1 { margin: 0; font-size: 28px; letter-spacing: -0.02em; }
h2 { margin: 0 0 16px; font-size: 16px; }
p.lead { margin: 4px 0 28px; color: var(--soft); }
section, .figure { background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: 20px 24px; }
.figures { display: grid; grid-template-columns: repeat(4, 1fr); gap: 16px; margin-bottom: 16px; }
.figure b { display: block; font-size: 26px; letter-spacing: -0.02em; }
.figure span { color: var(--soft); font-size: 13px; }
.tables { display: grid; grid-template-columns: 1fr 1fr; gap: 16px; margin-top: 16px; }
.wide { grid-column: 1 / -1; }
section { overflow-x: auto; }
svg { display: block; width: 100%; min-width: 640px; height: auto; }
svg text { fill: var(--ink); font-size: 13px; } svg .soft { fill: var(--soft); }
table { width: 100%; border-collapse: collapse; }
td, th { padding: 6px 0; border-top: 1px solid var(--line); text-align: left;
  overflow-wrap: anywhere; }
th { border: 0; color: var(--soft); font-size: 12px; font-weight: 500; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums;
  padding-left: 12px; }
footer { margin-top: 24px; color: var(--soft); font-size: 13px; overflow-wrap: anywhere; }
@media (max-width: 760px) { .figures, .tables { grid-template-columns: 1fr 1fr; }
  .tables section { grid-column: 1 / -1; } }
"""


def size(kib):
    if kib < 1024:
        return f"{kib} KiB"
    if kib < 1024 * 1024:
        return f"{kib / 1024:.1f} MiB"
    return f"{kib / 1024 / 1024:,.2f} GiB"


def count(packages):
    return "1 package" if packages == 1 else f"{packages:,} packages"


def chart(sections):
    """Horizontal bars of the largest sections; the rest is one bar."""
    bars = [(row["section"], row["size_kib"], row["packages"]) for row in sections[:BARS_MAX]]
    rest = sections[BARS_MAX:]
    if rest:
        bars.append((f"{len(rest)} others", sum(row["size_kib"] for row in rest),
                     sum(row["packages"] for row in rest)))
    left, width, step, right = 150, 620, 30, 210
    longest = max([kib for _, kib, _ in bars], default=0) or 1
    parts = [f'<svg viewBox="0 0 {left + width + right} {len(bars) * step}" role="img" '
             'aria-label="Installed size by section">'
             '<defs><linearGradient id="fill"><stop offset="0" stop-color="var(--bar)"/>'
             '<stop offset="1" stop-color="var(--bar-end)"/></linearGradient></defs>']
    for place, (name, kib, packages) in enumerate(bars):
        top, length = place * step, max(2, width * kib / longest)
        middle = top + step / 2 + 5
        parts.append(
            f'<text x="{left - 12}" y="{middle}" text-anchor="end">{escape(name)}</text>'
            f'<rect x="{left}" y="{top + 5}" width="{width}" height="{step - 10}" rx="5" '
            'fill="var(--track)"/>'
            f'<rect x="{left}" y="{top + 5}" width="{length:.1f}" height="{step - 10}" rx="5" '
            'fill="url(#fill)"/>'
            f'<text x="{left + width + 90}" y="{middle}" text-anchor="end">{size(kib)}</text>'
            f'<text class="soft" x="{left + width + right}" y="{middle}" text-anchor="end">'
            f'{count(packages)}</text>')
    return "".join(parts) + "</svg>"


def table(title, heads, rows, css=""):
    """The first column is text, the others are numbers."""
    def line(tag, cells):
        first, *others = cells
        return (f"<tr><{tag}>{escape(first)}</{tag}>" + "".join(
            f'<{tag} class="number">{escape(str(each))}</{tag}>' for each in others) + "</tr>")
    body = "".join(line("td", row) for row in rows)
    return f'<section class="{css}"><h2>{title}</h2><table>{line("th", heads)}{body}</table></section>'


def figure(value, meaning):
    return f'<div class="figure"><b>{value}</b><span>{meaning}</span></div>'


def main(output_dir, snapshot, sections, maintainers, dependencies, largest):
    packages = sum(row["packages"] for row in sections)
    total = sum(row["size_kib"] for row in sections)
    now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    page = f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<title>Packages of {escape(socket.gethostname())}</title><style>{STYLE}</style></head><body><main>
<h1>What is installed here</h1>
<p class="lead">{escape(socket.gethostname())}, {now}</p>
<div class="figures">{figure(f"{packages:,}", "packages installed")}{figure(size(total), "on disk")}
{figure(len(sections), "sections")}{figure(len(maintainers), "maintainers")}</div>
<section><h2>Installed size by section</h2>{chart(sections)}</section>
<div class="tables">
{table("Most depended upon", ["package", "packages that need it"],
       [(row["package"], row["dependents"]) for row in dependencies[:ROWS_MAX]])}
{table("Largest packages", ["package", "size"],
       [(row["package"], size(row["size_kib"])) for row in largest[:ROWS_MAX]])}
{table("Maintainers", ["maintainer", "packages", "size"],
       [(row["maintainer"], row["packages"], size(row["size_kib"]))
        for row in maintainers[:ROWS_MAX]], "wide")}
</div>
<footer>Installed sizes are those that the packages declare. Made from a copy of dpkg's database,
sha256 {snapshot["sha256"]}.</footer>
</main></body></html>
"""
    os.makedirs(output_dir, exist_ok=True)
    path = os.path.join(output_dir, "report.html")
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(page)
    os.replace(path + ".new", path)
    print(f"{path}: {len(page)} characters")
    return path
