"""The package audit of `package_audit.yaml`, written in Python.

orchestrator run examples/package_audit.py
orchestrator run examples/package_audit.py -p report_dir="$PWD/audit"
"""

import package_audit_steps as steps

from orchestrator import shell, task, workflow

SHARDS = 6

PREPARE = """
mkdir -p "$target"
cd "$target"
rm -f -- *.json *.draft report.md packages.csv audit.sqlite
echo "directory=$PWD" >> "$ORCHESTRATOR_OUTPUT"
"""
VERIFY = """
echo "$listed packages listed, $written written, $loaded loaded"
[ "$listed" -eq "$written" ] && [ "$written" -eq "$loaded" ]
"""

inventory = task(steps.inventory)
split = task(steps.split)
measure = task(timeout="5m")(steps.measure)
licences = task(steps.licences)
versions = task(steps.versions)
totals = task(steps.totals)
join_csv = task(steps.join_csv)
# Fails its first attempt: the database is not there yet, and it sets it up. The retry finds it.
create_database = task(name="database", retries=3, retry_delay=1)(steps.create_database)
load_database = task(steps.load_database)
report = task(steps.report)
clean_up = task(trigger="all_done")(steps.clean_up)


@workflow
def package_audit_python(report_dir: str = "audit-report-python") -> None:
    """Measure every installed package in shards, at the same time; join to CSV, SQLite and Markdown."""
    directory = shell("prepare", PREPARE, cwd=".", params={"target": report_dir})["directory"]
    listed = inventory(directory)
    dealt = split(directory, SHARDS, needs=[listed])
    measured = [
        measure.with_options(name=f"measure_{shard}")(directory, shard, needs=[dealt])
        for shard in range(1, SHARDS + 1)
    ]
    kinds, found_versions = licences(directory), versions(directory)
    counted = totals(*([one[column] for one in measured] for column in steps.COUNTS))
    joined = join_csv(directory, needs=[*measured, kinds, found_versions])
    database = create_database(f"{directory}/audit.sqlite")["database"]
    loaded = load_database(joined["csv"], database)
    rows = {"listed": listed["packages"], "written": joined["rows"], "loaded": loaded["rows"]}
    verified = shell("verify", VERIFY, params=rows)
    sums = {column: counted[column] for column in steps.COUNTS}
    report(directory, database, joined["csv"], sums, kinds["kinds"], needs=[verified])
    clean_up(directory, needs=[joined])
