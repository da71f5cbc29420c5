"""What commands say that only write down what is wanted, when nobody has taken it yet."""

from pathlib import Path

import pytest

from orchestrator.cli.session import say_why_nothing_happens
from orchestrator.config import load_settings
from orchestrator.embedded.home import Home, HomeLock
from orchestrator.service.backend import Backend


def test_a_master_that_is_just_starting_is_not_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Right behind `up &` there is a set-up, and no sign of life of its master yet."""
    backend = Backend(load_settings({"ORCHESTRATOR_HOME": str(tmp_path)}))
    home = Home(path=tmp_path)
    home.prepare()
    lock = HomeLock(home)

    say_why_nothing_happens(backend)
    assert "no master is running" in capsys.readouterr().err
    assert lock.acquire()
    say_why_nothing_happens(backend)
    lock.release()

    told = capsys.readouterr().err
    assert "no master has begun yet" in told
    assert "is just starting one" in told
