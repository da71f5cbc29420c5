"""Programs that tests fork (`tests.programs`) are as programs that are started, but for their imports."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from multiprocessing import Pipe
from pathlib import Path

import pytest

from tests.cluster import wait_until
from tests.programs import Program, Start

SECONDS = 20.0

Write = Callable[..., Start]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write the module of a program; return how to start it."""

    def write(text: str, *arguments: str, **environment: str) -> Start:
        (tmp_path / "probe.py").write_text(text)
        return Start(
            arguments=("probe", *arguments),
            environment={"PYTHONPATH": str(tmp_path), "HOME": str(tmp_path), **environment},
            directory=tmp_path,
            output=tmp_path / "output",
            errors=tmp_path / "errors",
        )

    return write


def run(start: Start) -> str:
    """Return what a program writes until it ends well."""
    start.output.unlink(missing_ok=True)
    assert Program(start).wait(SECONDS) == 0, start.errors.read_text()
    return start.output.read_text()


def test_program_finds_the_product_imported_but_not_its_celery_app(write: Write) -> None:
    """An import that failed before the fork would only cost time; the app is made of the program's settings."""
    start = write(
        "import sys\n"
        "for one in ('orchestrator.cli.main', 'orchestrator.master.loop', 'celery.bin.worker'):\n"
        "    print(one in sys.modules)\n"
        "print('orchestrator.celery' in sys.modules)\n"
        "from orchestrator.celery import app\n"
        "print(app.conf.broker_url)\n",
        ORCHESTRATOR_REDIS_URL="redis://localhost:1/7",
    )

    *imported, made, broker_url = run(start).split()

    assert set(imported) == {"True"}
    assert made == "False"
    assert broker_url == "redis://localhost:1/7"


def test_program_has_its_own_arguments_environment_and_directory(write: Write, tmp_path: Path) -> None:
    """Nothing of the tests' own is left, nor of the program before."""
    start = write(
        "import json, os, sys\n"
        "print(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd(), __name__, sys.stdin.read()]))\n",
        "one",
        "--two",
        NAME="value",
    )

    arguments, environment, directory, name, given = json.loads(run(start))

    assert arguments == ["one", "--two"]
    assert environment == dict(start.environment)
    assert Path(directory) == tmp_path
    assert name == "__main__"
    assert not given


def test_program_ends_with_its_exit_code_and_its_last_words(write: Write) -> None:
    """The code is that of `sys.exit`; what is registered for the exit runs."""
    start = write("import atexit, sys\natexit.register(print, 'bye')\nsys.stderr.write('no')\nsys.exit(3)\n")

    program = Program(start)

    assert program.wait(SECONDS) == program.poll() == 3
    assert start.output.read_text() == "bye\n"
    assert start.errors.read_text() == "no"


def test_programs_of_one_origin_draw_other_numbers(write: Write) -> None:
    """A fork that kept the state of `random` would name two workers alike."""
    start = write("import random, tempfile, uuid\nprint(random.random(), uuid.uuid4())\n")

    first, second = run(start).split(), run(start).split()

    assert not set(first) & set(second)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_signal_ends_a_program(write: Write, number: signal.Signals) -> None:
    """Signals do what they do to a program that handles none; afterwards they hurt nobody."""
    text = f"import signal\nsignal.signal({number}, signal.SIG_DFL)\n" if number == signal.SIGINT else ""
    start = write(f"{text}print('ready', flush=True)\nimport threading\nthreading.Event().wait()\n")
    program = Program(start)
    wait_until(lambda: start.output.exists() and start.output.read_text(), seconds=SECONDS, what="its start")
    assert program.poll() is None

    with pytest.raises(subprocess.TimeoutExpired):
        program.wait(0.0)
    program.send_signal(number)

    assert program.wait(SECONDS) == -number
    program.kill()


def test_program_leads_its_session_and_ends_with_its_leash(write: Write) -> None:
    """What a test program that is killed leaves behind ends itself."""
    theirs, ours = Pipe(duplex=False)
    text = "import os\nprint(os.getpid(), os.getsid(0), flush=True)\nimport threading\nthreading.Event().wait()\n"
    plain = write(text)
    start = Start(
        arguments=plain.arguments,
        environment=plain.environment,
        directory=plain.directory,
        output=plain.output,
        errors=plain.errors,
        leash=theirs,
        new_session=True,
    )
    program = Program(start)
    wait_until(lambda: start.output.exists() and start.output.read_text(), seconds=SECONDS, what="its start")

    ours.close()

    assert program.wait(SECONDS) == -signal.SIGTERM
    assert set(start.output.read_text().split()) == {str(program.pid)}
    assert os.getsid(0) != program.pid
    theirs.close()
