"""Owns the steps of the package audit: plain functions that `package_audit.yaml` and `package_audit.py` call.

Files travel through the report's directory (a shared one, when workers run on several machines); numbers and
paths travel as outputs.
"""

import csv
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

COLUMNS = ("name", "version", "licence", "requires_python", "files", "lines", "bytes")
COUNTS = ("files", "lines", "bytes")
TEXT_SUFFIXES = frozenset(
    {".py", ".pyi", ".pyx", ".c", ".h", ".js", ".css", ".html", ".md", ".rst", ".txt", ".toml"}
)

Row = dict[str, Any]


def inventory(directory: str) -> Row:
    """List the packages that are installed in this environment into `inventory.json`."""
    packages = [
        {"name": name, "version": one.version, "weight": len(one.files or ())}
        for name, one in sorted(_installed().items())
    ]
    _write(Path(directory) / "inventory.json", packages)
    return {"packages": len(packages)}


def split(directory: str, shards: int) -> Row:
    """Deal the packages out to `shards` files, the heaviest first, so that all weigh about the same."""
    packages = _read(Path(directory) / "inventory.json")
    hands: list[list[str]] = [[] for _ in range(shards)]
    loads = [0] * shards
    for package in sorted(packages, key=lambda one: -one["weight"]):
        lightest = loads.index(min(loads))
        hands[lightest].append(package["name"])
        loads[lightest] += package["weight"] + 1
    for number, names in enumerate(hands, start=1):
        _write(Path(directory) / f"shard-{number}.json", names)
    return {"loads": loads}


def measure(directory: str, shard: int) -> Row:
    """Count the files, lines and bytes of each package of one shard into `measured-<shard>.json`."""
    installed = _installed()
    names = _read(Path(directory) / f"shard-{shard}.json")
    rows = [{"name": name, **_measured(installed[name])} for name in names if name in installed]
    _write(Path(directory) / f"measured-{shard}.json", rows)
    return {"packages": len(rows), **{column: sum(row[column] for row in rows) for column in COUNTS}}


def licences(directory: str) -> Row:
    """Read the licence of each package into `licences.json`."""
    found = {name: licence_of(one) for name, one in _installed().items()}
    _write(Path(directory) / "licences.json", found)
    counted = Counter(found.values())
    return {"kinds": len(counted), "commonest": counted.most_common(1)[0][0], "unknown": counted["unknown"]}


def versions(directory: str) -> Row:
    """Read version and required Python of each package into `versions.json`."""
    found = {
        name: {"version": one.version, "requires_python": _field(one, "Requires-Python")}
        for name, one in _installed().items()
    }
    _write(Path(directory) / "versions.json", found)
    return {
        "prereleases": sum(bool(re.search(r"[a-z]", row["version"].split("+")[0])) for row in found.values())
    }


def totals(files: list[int], lines: list[int], sizes: list[int]) -> Row:
    """Add up what the shards measured."""
    return {"files": sum(files), "lines": sum(lines), "bytes": sum(sizes)}


def join_csv(directory: str) -> Row:
    """Join measurements, licences and versions to `packages.csv`, one line per package."""
    path = Path(directory) / "packages.csv"
    rows = list(_joined(Path(directory)))
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return {"csv": str(path), "rows": len(rows)}


def create_database(database: str) -> Row:
    """Find the audit's database; where there is none yet, set it up and fail: the next attempt finds it."""
    path = Path(database)
    if not path.exists():
        connection = sqlite3.connect(path)
        with connection:
            _create_table(connection)
        connection.close()
        raise FileNotFoundError(f"{path.name} was not there yet; it is being set up, come again")
    return {"database": str(path)}


def load_database(csv_path: str, database: str) -> Row:
    """Load the CSV file into the database, all rows or none; loading twice changes nothing."""
    marks = ", ".join("?" * len(COLUMNS))
    with Path(csv_path).open(newline="", encoding="utf-8") as stream:
        rows = [tuple(row[column] for column in COLUMNS) for row in csv.DictReader(stream)]
    connection = sqlite3.connect(database)
    with connection:
        _create_table(connection)
        statement = f"INSERT OR REPLACE INTO package VALUES ({marks})"  # noqa: S608 - question marks only
        connection.executemany(statement, rows)
    count = connection.execute("SELECT count(*) FROM package").fetchone()[0]
    connection.close()
    return {"rows": count}


def report(directory: str, database: str, csv_path: str, totals: Row, licence_kinds: int) -> Row:
    """Write `report.md`: the totals, the ten largest packages and the licences."""
    path = Path(directory) / "report.md"
    connection = sqlite3.connect(database)
    largest = connection.execute(
        "SELECT name, version, CAST(lines AS INTEGER) AS n FROM package ORDER BY n DESC, name LIMIT 10"
    ).fetchall()
    kinds = connection.execute(
        "SELECT licence, count(*) AS n FROM package GROUP BY 1 ORDER BY n DESC, 1"
    ).fetchall()
    count = connection.execute("SELECT count(*) FROM package").fetchone()[0]
    connection.close()
    counted = ", ".join(f"{totals[name]} {name}" for name in COUNTS)
    lines = [
        "# Installed packages",
        "",
        f"{count} packages, {counted}, {licence_kinds} kinds of licence.",
        *_table("Largest", ("package", "version", "lines"), largest),
        *_table("Licences", ("licence", "packages"), kinds),
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {"report": str(path), "csv": csv_path, "database": database, "packages": count, **totals}


def clean_up(directory: str) -> Row:
    """Remove the files that the tasks handed to each other; the report stays."""
    passed_on = [*Path(directory).glob("*.json")]
    for path in passed_on:
        path.unlink(missing_ok=True)
    return {"removed": len(passed_on)}


def licence_of(package: metadata.Distribution) -> str:
    """Return the licence a package declares, on one line: expression, classifiers, text, or `unknown`."""
    if expression := _field(package, "License-Expression"):
        return expression
    classifiers = package.metadata.get_all("Classifier") or ()
    declared = [one.split(" :: ")[-1] for one in classifiers if one.startswith("License ::")]
    if declared:
        return " AND ".join(declared)
    text = _field(package, "License")
    return text.splitlines()[0][:60] if text else "unknown"


def _create_table(connection: sqlite3.Connection) -> None:
    connection.execute(f"CREATE TABLE IF NOT EXISTS package ({', '.join(COLUMNS)}, PRIMARY KEY (name))")


def _installed() -> dict[str, metadata.Distribution]:
    """Return what is installed, by canonical name; the first on the path wins, as it does for `import`."""
    found: dict[str, metadata.Distribution] = {}
    for one in metadata.distributions():
        if name := _field(one, "Name"):
            found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), one)
    return found


def _field(package: metadata.Distribution, name: str) -> str:
    fields = package.metadata
    return fields[name].strip() if name in fields else ""


def _measured(package: metadata.Distribution) -> Row:
    paths = [path for one in package.files or () if (path := Path(str(one.locate()))).is_file()]
    return {
        "files": len(paths),
        "lines": sum(_lines(path) for path in paths),
        "bytes": sum(path.stat().st_size for path in paths),
    }


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.suffix in TEXT_SUFFIXES else 0


def _joined(directory: Path) -> Iterator[Row]:
    found_licences, found_versions = _read(directory / "licences.json"), _read(directory / "versions.json")
    measured = [row for path in directory.glob("measured-*.json") for row in _read(path)]
    for row in sorted(measured, key=lambda one: str(one["name"])):
        yield {**row, "licence": found_licences[row["name"]], **found_versions[row["name"]]}


def _table(title: str, heads: tuple[str, ...], rows: list[tuple[Any, ...]]) -> Iterator[str]:
    yield from ("", f"## {title}", "", f"| {' | '.join(heads)} |", "|---" * len(heads) + "|")
    yield from (f"| {' | '.join(str(cell).replace('|', '/') for cell in row)} |" for row in rows)


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _write(path: Path, value: Any) -> None:
    """Write all or nothing: a task that runs a second time must not find half a file."""
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(value), encoding="utf-8")
    draft.replace(path)
