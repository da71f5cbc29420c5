"""Owns the rules about the source itself: who imports whom, and what may stand nowhere."""

import ast
import re
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "orchestrator"
LIMIT_LINES = 330
LONGER = {"store.schema": "nothing but tables"}
"""Modules that may have more lines, each with its reason."""

LEAVES = frozenset(
    {"errors", "config", "setting_faults", "setting_paths", "crash", "logging", "secret_source"}
)
"""Modules that know nothing of workflows; everybody but the core may use them."""

SHOWN_BY_RUN = frozenset({"cli.live", "cli.output", "cli.performing", "cli.running"})
"""What `WORKFLOW.run()` shares with `orchestrator run`: both show the same."""

ARROWS: dict[str, frozenset[str]] = {
    "errors": frozenset(),
    "crash": frozenset(),
    "config": frozenset({"errors", "crash", "setting_faults", "setting_paths", "core.alerting"}),
    "secret_source": frozenset({"errors", "config"}),
    "setting_faults": frozenset(),
    "setting_paths": frozenset({"setting_faults"}),
    "logging": frozenset({"errors", "config"}),
    "core": frozenset({"core", "errors"}),
    "store": frozenset({"core"}) | LEAVES,
    "broker": frozenset({"core"}) | LEAVES,
    "authoring": frozenset({"core"}) | LEAVES,
    "alerting": frozenset({"core"}) | LEAVES,
    "worker": frozenset({"core", "broker"}) | LEAVES,
    "master": frozenset({"core", "store", "broker", "alerting", "authoring.expressions", "authoring.cron"})
    | LEAVES,
    "service": frozenset({"core", "store", "broker", "authoring", "alerting.book"}) | LEAVES,
    "embedded": LEAVES,
    "importing": frozenset({"core", "authoring"}) | LEAVES,
    "cli": frozenset({"core", "service", "importing", "embedded", "wiring"}) | LEAVES,
    "client": frozenset({"core", "service", "embedded", *SHOWN_BY_RUN}) | LEAVES,
}
"""What each package may import besides itself. The entry points in `KNOWS_ALL` may import everything."""

KNOWS_ALL = frozenset({"wiring", "celery", "testing", "attach", "__init__"})

EXCEPTIONS: dict[tuple[str, str], str] = {
    ("cli.commands.schema", "authoring.schema"): "a service would only pass the JSON Schema on",
    ("cli.commands.schema", "authoring.tasks"): "and the names of the task types that packages add",
    ("cli", "authoring.names"): "`did_you_mean` is needed where an option is parsed",
    ("store.migrate", "__init__"): "asks where the package lies, to find its migrations",
    ("cli", "worker.logs"): "the format of log files has one owner, who writes and reads them",
}
"""(importing, imported) pairs, themselves or what is below them, that break an arrow, each with its reason."""

OWNED_LIBRARIES: dict[str, frozenset[str]] = {
    "sqlalchemy": frozenset({"store"}),
    "alembic": frozenset({"store"}),
    "psycopg2": frozenset({"store"}),
    "redis": frozenset({"broker"}),
    "celery": frozenset({"celery", "worker", "broker"}),
    "kombu": frozenset({"celery", "worker", "broker"}),
    "click": frozenset({"cli"}),
    "rich_click": frozenset({"cli"}),
    "rich": frozenset({"cli"}),
    "yaml": frozenset({"authoring", "importing", "service"}),
    "cronsim": frozenset({"authoring.cron"}),
    "pydantic": frozenset({"authoring", "config", "setting_faults"}),
}
"""Libraries that only their owners may import."""

LIBRARY_EXCEPTIONS: dict[tuple[str, str], str] = {
    ("embedded.redis", "redis"): "asks the server that it started whether it answers",
    ("worker.executors.sql_program", "sqlalchemy"): "the program of a sql task: users' databases, never ours",
}
"""(importing module, library) pairs that break the ownership, each with its reason."""

ENVIRONMENT_EXCEPTIONS: dict[str, str] = {
    "worker.executors": "builds the environment of a task's own process from the worker's",
    "cli.commands.import_": "hands the user's environment to the import, for the SDK's `$ENV{…}`",
    "embedded": "hands its own environment on to the servers and children that it starts",
}
"""Prefixes of modules besides `config` that may touch `os.environ`, each with its reason."""

IMPURE = frozenset(
    {"logging", "os", "time", "random", "uuid", "secrets", "socket", "threading", "subprocess"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One import statement: who, what, where."""

    importer: str
    imported: str
    line: int

    def __str__(self) -> str:
        return f"orchestrator.{self.importer}:{self.line} imports {self.imported}"


@cache
def _texts() -> dict[str, str]:
    """Return the text of each module of the package by dotted name below `orchestrator`."""
    return {_name(path): path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))}


@cache
def _sources() -> dict[str, ast.Module]:
    """Return the parsed modules of the package by dotted name below `orchestrator`."""
    return {name: ast.parse(text) for name, text in _texts().items()}


@cache
def _test_texts() -> dict[Path, str]:
    """Return the text of each file of the tests."""
    return {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests").rglob("*.py"))}


def _statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield every statement at any depth, without the walk through all expressions."""
    inner = deque([tree])
    while inner:
        for node in ast.iter_child_nodes(inner.popleft()):
            if isinstance(node, ast.stmt | ast.excepthandler | ast.match_case):
                inner.append(node)
                yield node


def _name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


@cache
def _imports() -> tuple[Import, ...]:
    return tuple(one for name, tree in _sources().items() for one in _imports_of(name, tree))


def _imports_of(name: str, tree: ast.Module) -> Iterator[Import]:
    for node in _statements(tree):
        match node:
            case ast.Import(names=names):
                yield from (Import(importer=name, imported=one.name, line=node.lineno) for one in names)
            case ast.ImportFrom(module=str(module), names=names, level=0):
                yield from (
                    Import(importer=name, imported=_target(module, one.name), line=node.lineno)
                    for one in names
                )


def _target(module: str, name: str) -> str:
    """Return what `from module import name` imports: a submodule where there is one, else the module."""
    below = module.removeprefix("orchestrator").strip(".")
    is_module = _package(module) == "orchestrator" and ".".join(filter(None, (below, name))) in _sources()
    return f"{module}.{name}" if is_module else module


def _inner() -> Iterator[tuple[Import, str]]:
    """Yield the imports of this package's own modules, with the imported name below `orchestrator`."""
    for one in _imports():
        top, _, below = one.imported.partition(".")
        if top == "orchestrator":
            yield one, below or "__init__"


def _is_within(module: str, prefixes: frozenset[str]) -> bool:
    return any(module == prefix or module.startswith(prefix + ".") for prefix in prefixes)


def _is_excepted(importer: str, imported: str) -> bool:
    return any(
        _is_within(importer, frozenset({a})) and _is_within(imported, frozenset({b})) for a, b in EXCEPTIONS
    )


def _package(module: str) -> str:
    return module.split(".", maxsplit=1)[0]


def test_every_package_has_its_arrows() -> None:
    """A new package or module at the top must say here what it may know."""
    unknown = {_package(name) for name in _sources()} - ARROWS.keys() - KNOWS_ALL

    assert not unknown


def test_imports_follow_the_arrows() -> None:
    """`cli → service → {store, broker, authoring} → core → errors`, and the like for master and worker."""
    against = [
        str(one)
        for one, imported in _inner()
        if (package := _package(one.importer)) not in KNOWS_ALL
        and not _is_within(imported, ARROWS[package] | {package})
        and not _is_excepted(one.importer, imported)
    ]

    assert not against


def test_nobody_imports_the_entry_points() -> None:
    """The composition root knows all; only the command line and Celery's command may start from it."""
    roots = frozenset({"wiring", "testing", "celery"})
    against = [
        str(one)
        for one, imported in _inner()
        if _is_within(imported, roots)
        and imported not in ARROWS.get(_package(one.importer), ())
        and _package(one.importer) not in KNOWS_ALL
        and not _is_excepted(one.importer, imported)
    ]

    assert not against


def test_core_imports_the_standard_library_only() -> None:
    """The core is pure: no library, no clock, no randomness, no I/O, no logging."""
    allowed = sys.stdlib_module_names - IMPURE | {"orchestrator"}
    against = [
        str(one)
        for one in _imports()
        if _package(one.importer) == "core" and _package(one.imported) not in allowed
    ]

    assert not against


@pytest.mark.parametrize("clock", ["datetime.now", "datetime.utcnow", "datetime.today", "date.today"])
def test_core_reads_no_clock(clock: str) -> None:
    """Time is an argument in the core."""
    against = [
        f"{name}:{node.lineno}"
        for name, tree in _sources().items()
        if _package(name) == "core" and clock.rpartition(".")[2] in _texts()[name]
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(clock)
    ]

    assert not against


def test_libraries_are_imported_by_their_owners_only() -> None:
    """SQLAlchemy belongs to the store, redis to the broker, click to the command line, and so on."""
    against = [
        str(one)
        for one in _imports()
        if (library := _package(one.imported)) in OWNED_LIBRARIES
        and not _is_within(one.importer, OWNED_LIBRARIES[library])
        and _package(one.importer) not in KNOWS_ALL
        and (one.importer, library) not in LIBRARY_EXCEPTIONS
    ]

    assert not against


def test_only_the_settings_read_the_environment() -> None:
    """`config` reads `os.environ`, and those who build the environment of a child, listed with the reason."""
    allowed = frozenset({"config", *ENVIRONMENT_EXCEPTIONS})
    readers = ("environ", "environb", "getenv")
    against = [
        f"{name}:{node.lineno}"
        for name, tree in _sources().items()
        if not _is_within(name, allowed) and any(reader in _texts()[name] for reader in readers)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in readers
    ]

    assert not against


def test_there_are_no_type_checking_blocks() -> None:
    """One that seems needed means a wrong arrow."""
    product = [name for name, text in _texts().items() if "TYPE_CHECKING" in text]
    tests = [
        str(path.relative_to(ROOT))
        for path, text in _test_texts().items()
        if path != Path(__file__) and "TYPE_CHECKING" in text
    ]

    assert not product + tests


def test_tests_never_sleep() -> None:
    """A test waits for a condition under a deadline, never for a while."""
    against = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, text in _test_texts().items()
        if "sleep" in text
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("time.sleep", "sleep")
    ]

    assert not against


def test_tests_never_patch() -> None:
    """What a test replaces is handed in; nothing is patched from outside."""
    pattern = re.compile(r"\b(unittest\.mock|mock\.patch|mocker\.)")
    against = [
        str(path.relative_to(ROOT))
        for path, text in _test_texts().items()
        if path != Path(__file__) and pattern.search(text)
    ]

    assert not against


def test_every_test_says_what_it_shows() -> None:
    """A test has a docstring with the behaviour that it stands for."""
    against = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path, text in _test_texts().items()
        if "def test_" in text
        for node in _statements(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and not ast.get_docstring(node)
    ]

    assert not against


def test_every_module_says_what_it_owns() -> None:
    """The first line of a module says what it owns."""
    silent = [name for name, tree in _sources().items() if not ast.get_docstring(tree)]

    assert not silent


def test_no_module_outgrows_its_reader() -> None:
    """Modules have 50 to 200 lines, few above 300, none above the limit."""
    lengths = {name: len(text.splitlines()) for name, text in _texts().items()}
    longest = sorted(lengths.items(), key=lambda one: -one[1])[:5]
    print("longest modules:", ", ".join(f"{name} {lines}" for name, lines in longest))  # noqa: T201 - a report

    assert {name for name, lines in lengths.items() if lines > LIMIT_LINES} == LONGER.keys()


def test_exceptions_are_still_needed() -> None:
    """An exception whose import is gone must go too."""
    arrows = [(one.importer, imported) for one, imported in _inner()]
    libraries = {(one.importer, _package(one.imported)) for one in _imports()}
    unused = [
        pair
        for pair in EXCEPTIONS
        if not any(
            _is_within(a, frozenset({pair[0]})) and _is_within(b, frozenset({pair[1]})) for a, b in arrows
        )
    ]

    assert not unused
    assert LIBRARY_EXCEPTIONS.keys() <= libraries


def test_migrations_directory_is_no_package() -> None:
    """`alembic/` at the top must never shadow the library of that name."""
    assert not (ROOT / "alembic" / "__init__.py").exists()
