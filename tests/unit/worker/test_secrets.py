"""Where a worker finds secrets, and how an attempt gets and hides them."""

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.core import secrets
from orchestrator.core.deferral import Defer
from orchestrator.secret_source import SecretUnavailable, WorkerSecrets
from orchestrator.worker.discretion import DiscreetWork
from orchestrator.worker.executors.port import Finished, TaskFailure
from orchestrator.worker.vault import Vault
from tests.unit.worker.twins import make_order


class Told:
    """Work that ends as told."""

    process_group = None

    def __init__(self, end: Finished | Exception) -> None:
        self._end = end

    def run(self) -> Finished:
        """End."""
        if isinstance(self._end, Exception):
            raise self._end
        return self._end

    def discard(self) -> None:
        """Nothing was prepared."""


def vault_of(**given: str) -> Vault:
    """Return a vault over these secrets, which have been revealed."""
    vault = Vault(WorkerSecrets(given={name.upper(): value for name, value in given.items()}), "t1")
    for name in given:
        vault.reveal(name)
    return vault


def test_the_environment_comes_before_the_directory(tmp_path: Path) -> None:
    """`db-password` is ORCHESTRATOR_SECRET_DB_PASSWORD, or the file `db-password`, without its line's end."""
    (tmp_path / "db-password").write_text("from file\n")
    (tmp_path / "token").write_text("t0ken\r\n")
    source = WorkerSecrets(given={"DB_PASSWORD": "from environment"}, directory=tmp_path)

    assert (source.find("db-password"), source.find("token")) == ("from environment", "t0ken")


def test_a_changed_file_counts_at_once(tmp_path: Path) -> None:
    """Secrets rotate without a restart of the worker."""
    source = WorkerSecrets(directory=tmp_path)
    (tmp_path / "a").write_text("one")
    assert source.find("a") == "one"
    (tmp_path / "a").write_text("two")

    assert source.find("a") == "two"


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"x" * (64 * 1024 + 1)])
def test_a_file_that_holds_no_secret_is_a_failure(content: bytes, tmp_path: Path) -> None:
    """Empty, no text, or a whole disk image: the secret's name is told."""
    (tmp_path / "odd").write_bytes(content)

    with pytest.raises(SecretUnavailable, match="'odd'"):
        WorkerSecrets(directory=tmp_path).find("odd")


def test_an_unknown_secret_is_named_with_the_remedy(tmp_path: Path) -> None:
    """The message says what to set, with a directory which file to write; a directory in its place is no file."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(SecretUnavailable, match=r"'no-such'.*ORCHESTRATOR_SECRET_NO_SUCH.*SECRETS_DIR"):
        WorkerSecrets().find("no-such")
    with pytest.raises(SecretUnavailable, match=str(tmp_path / "other")):
        WorkerSecrets(directory=tmp_path).find("other")
    with pytest.raises(SecretUnavailable, match="cannot be read"):
        WorkerSecrets(directory=tmp_path).find("folder")


def test_secrets_are_not_in_the_source_as_text() -> None:
    """What is printed of a worker's parts by accident shows none."""
    assert "hidden" not in repr(WorkerSecrets(given={"A": "hidden"}))


def test_an_order_is_opened_for_its_own_ticket() -> None:
    """Marked secrets in parameters are resolved; the order that was sent stays as it is."""
    order = make_order(ticket="t1", params={"a": secrets.mark("secret://token", "t1"), "b": "secret://token"})

    opened = vault_of(token="hidden").opened(order)

    assert opened.params == {"a": "hidden", "b": "secret://token"}
    assert opened == replace(order, params=opened.params)


def test_outputs_and_reasons_are_masked() -> None:
    """Whatever an executor gives or raises, its secrets do not leave the worker."""
    vault, order = vault_of(token="hidden"), make_order()

    finished = DiscreetWork(order, Told(Finished(outputs={"x": "a hidden b"})), vault).run()
    with pytest.raises(TaskFailure, match=r"^bad \*\*\*\*\*\*$") as failed:
        DiscreetWork(order, Told(TaskFailure("bad hidden", error="hidden")), vault).run()
    with pytest.raises(TaskFailure, match=r"^ValueError: \*\*\*\*\*\*$") as bug:
        DiscreetWork(order, Told(ValueError("hidden")), vault).run()

    assert finished.outputs == {"x": "a ****** b"}
    assert (failed.value.error, bug.value.error) == ("******", "ValueError")
    assert failed.value.__cause__ is None
    assert failed.value.__suppress_context__


def test_a_retry_that_would_store_a_secret_is_refused() -> None:
    """What a deferral notes goes into the database until the attempt is called again."""
    vault, order = vault_of(token='hid"den'), make_order()

    with pytest.raises(Defer):
        DiscreetWork(order, Told(Defer(1, external_ids={"args": "[1]"})), vault).run()
    with pytest.raises(TaskFailure, match="the retry has a secret in its arguments"):
        DiscreetWork(order, Told(Defer(1, external_ids={"args": '["hid\\"den"]'})), vault).run()
