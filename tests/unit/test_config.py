"""Settings: defaults, every fault at once, contradictions, masked secrets, crash points."""

from pathlib import Path

import pytest

from orchestrator import crash
from orchestrator.config import Settings, load_settings
from orchestrator.errors import SettingsError
from orchestrator.setting_faults import MASK, mask


def settings(**variables: str) -> Settings:
    """Return the settings of an environment with these `ORCHESTRATOR_` variables and no others."""
    return load_settings({f"ORCHESTRATOR_{name.upper()}": value for name, value in variables.items()})


def faults(**variables: str) -> str:
    """Return the message about a wrong environment."""
    with pytest.raises(SettingsError) as error:
        settings(**variables)
    return str(error.value)


def test_an_empty_environment_is_a_working_one() -> None:
    """Everything has a default; the database is SQLite in the home."""
    found = settings()

    assert found.home == Path("~/.orchestrator").expanduser()
    assert found.database == f"sqlite:///{found.home}/orchestrator.db"
    assert (found.redis_url, found.broker_url) == (None, None)
    assert (found.heartbeat_seconds, found.lost_seconds, found.resend_seconds) == (3, 15, 10)
    assert (found.lease_seconds, found.renewal, found.dispatch_timeout_seconds) == (10, 1, 60)


def test_the_home_holds_logs_spools_and_database(tmp_path: Path) -> None:
    """Nothing outside it is written."""
    found = settings(home=str(tmp_path))

    assert (found.logs, found.spools) == (tmp_path / "logs", tmp_path / "spools")
    assert str(tmp_path) in found.database


def test_paths_are_made_absolute() -> None:
    """A daemon may change its directory; `~` is the user's home."""
    found = settings(home="some/where", source_dir="~/flows")

    assert found.home == Path.cwd() / "some/where"
    assert found.source_dir == Path.home() / "flows"


def test_an_empty_variable_is_as_good_as_none() -> None:
    """`ORCHESTRATOR_REDIS_URL=` in a compose file means the default."""
    assert settings(redis_url="", lease_seconds="").lease_seconds == 10


def test_overrides_win_over_the_environment() -> None:
    """What the command line says is stronger than a variable."""
    assert load_settings({"ORCHESTRATOR_LOST_SECONDS": "20"}, lost_seconds=30).lost_seconds == 30


def test_settings_cannot_be_changed_later() -> None:
    """They are read once, at start."""
    with pytest.raises(ValueError, match="frozen"):
        settings().lease_seconds = 5


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_short_postgres_schemes_mean_psycopg2(scheme: str) -> None:
    """SQLAlchemy 2.1 would take psycopg 3, which is an extra; whoever names a driver gets it."""
    assert settings(database_url=f"{scheme}://u@h/d").database == "postgresql+psycopg2://u@h/d"
    assert settings(database_url="postgresql+psycopg://u@h/d").database == "postgresql+psycopg://u@h/d"


# --- faults ----------------------------------------------------------------------------------


def test_every_wrong_value_is_named_at_once() -> None:
    """Not one per try."""
    message = faults(
        lease_seconds="soon",
        heartbeat_seconds="-1",
        inbox_limit="10",
        master_memory_limit="2",
        crash_at="nowhere",
    )

    assert [line.partition(":")[0] for line in message.splitlines()] == [
        "ORCHESTRATOR_LEASE_SECONDS",
        "ORCHESTRATOR_HEARTBEAT_SECONDS",
        "ORCHESTRATOR_MASTER_MEMORY_LIMIT",
        "ORCHESTRATOR_INBOX_LIMIT",
        "ORCHESTRATOR_CRASH_AT",
    ]


def test_contradictions_are_named_beside_wrong_values() -> None:
    """A value that is no number hides no contradiction but those that it would take part in."""
    with pytest.raises(SettingsError) as caught:
        load_settings(
            {
                "ORCHESTRATOR_LEASE_SECONDS": "soon",
                "ORCHESTRATOR_RENEWAL_SECONDS": "1000",
                "ORCHESTRATOR_HEARTBEAT_SECONDS": "1000",
                "ORCHESTRATOR_LOG_FORMAT": "xml",
            }
        )

    assert str(caught.value).splitlines() == [
        "ORCHESTRATOR_LOG_FORMAT: 'xml' is not one of console, json",
        "ORCHESTRATOR_LEASE_SECONDS: 'soon' is not a number above 0",
        "ORCHESTRATOR_HEARTBEAT_SECONDS: 1000 is not below ORCHESTRATOR_LOST_SECONDS / 3 (15 / 3 = 5)",
    ]


def test_every_contradiction_is_named_at_once() -> None:
    """INTERFACE 7: renewal < lease / 3, heartbeat < lost / 3, re-send <= dispatch timeout / 2."""
    message = faults(
        lease_seconds="3",
        renewal_seconds="1",
        heartbeat_seconds="5",
        resend_seconds="31",
        log_level="LOUD",
        log_format="xml",
        on_partition="panic",
    )

    names = (
        "LOG_LEVEL",
        "LOG_FORMAT",
        "ON_PARTITION",
        "RENEWAL_SECONDS",
        "HEARTBEAT_SECONDS",
        "RESEND_SECONDS",
    )
    assert [line.partition(":")[0] for line in message.splitlines()] == [
        f"ORCHESTRATOR_{one}" for one in names
    ]
    assert "DEBUG, INFO, WARNING, ERROR" in message


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("renewal_seconds", "3.3", "3.34"),
        ("heartbeat_seconds", "4.9", "5"),
        ("resend_seconds", "30", "30.1"),
    ],
)
def test_limits_of_contradictions_are_exact(name: str, good: str, bad: str) -> None:
    """Against the defaults of their partners."""
    assert getattr(settings(**{name: good}), name) == float(good)
    assert faults(**{name: bad}).startswith(f"ORCHESTRATOR_{name.upper()}: ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lease_seconds", "redis://:hunter2@h"),
        ("redis_url", "http://me:hunter2@h"),
        ("redis_url", "me:hunter2@h"),
        ("redis_url", "redis://h/x?password=hunter2"),
        ("broker_url", "amqp://a:hunter2@h;amqp://b:hunter2@h:port"),
        ("database_url", "mysql://me:hunter2@h/d"),
    ],
)
def test_a_fault_shows_no_secret(name: str, value: str) -> None:
    """The value is shown, but a password in it must not end up in a log."""
    told = faults(**{name: value})

    assert told.startswith(f"ORCHESTRATOR_{name.upper()}: ")
    assert MASK in told
    assert "hunter2" not in told


def test_only_the_given_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of the process is another one."""
    monkeypatch.setenv("ORCHESTRATOR_LOST_SECONDS", "40")
    monkeypatch.setenv("ORCHESTRATOR_KEY_PREFIX", "other:")

    assert (settings().lost_seconds, settings().key_prefix) == (15, "orchestrator:")


@pytest.mark.parametrize("text", ["", "  "])
def test_empty_home_is_the_default_one(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Never the directory in which somebody happens to stand."""
    monkeypatch.setenv("ORCHESTRATOR_HOME", text)

    assert load_settings().home == Path("~/.orchestrator").expanduser()


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("log_level", "debug", "'debug' is not one of DEBUG, INFO, WARNING, ERROR (did you mean 'DEBUG'?)"),
        ("on_partition", "continu", "'continu' is not one of continue, kill (did you mean 'continue'?)"),
        ("master_memory_limit", "2", "'2' is not a number above 0 and at most 1"),
        ("inbox_limit", "1.5", "'1.5' is not a whole number from 1000"),
        ("kill_seconds", "inf", "'inf' is not a number above 0"),
        ("renewal_seconds", "often", "'often' is not a number above 0"),
        ("redis_url", "rdis://h", "'rdis://h' is not a Redis URL: redis://HOST:PORT/NUMBER"),
        ("redis_url", "redis://h/main", "'redis://h/main' is not a Redis URL"),
        ("redis_url", "unix://", "'unix://' is not a Redis URL"),
        ("database_url", "mysql://h/d", "'mysql://h/d' is not a database URL: sqlite:"),
        ("broker_url", "rabbit.local", "'rabbit.local' is not a broker URL: amqp:"),
        ("broker_url", "amqp://h:port", "'amqp://h:port' is not a broker URL: amqp:"),
    ],
)
def test_a_fault_is_one_line_with_the_value_and_what_is_right(name: str, value: str, told: str) -> None:
    """The variable, what stands there, what may stand there; said once."""
    message = faults(**{name: value})

    assert message.startswith(f"ORCHESTRATOR_{name.upper()}: {told}")
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize(
    "url", ["redis://h", "redis://h:1/0", "rediss://h/1/", "unix:///r.sock?db=1", "redis+socket:///r.sock"]
)
def test_every_spelling_of_redis_is_accepted(url: str) -> None:
    """Those of redis-py and those of Celery."""
    assert settings(redis_url=url).redis_url == url


def test_a_fault_of_a_crash_point_is_said_once() -> None:
    """With a guess and the list, on one line."""
    told = faults(crash_at="master.before_comit:2")

    assert told.startswith(
        "ORCHESTRATOR_CRASH_AT: 'master.before_comit:2' is not <point>[:N] (did you mean 'master.before_commit'?)"
    )
    assert told.count("worker.after_send") == len(told.splitlines()) == 1


# --- masks -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:secret@h:5432/d?x=1", f"postgresql://me:{MASK}@h:5432/d?x=1"),
        ("redis://:secret@h:6379/0", f"redis://:{MASK}@h:6379/0"),
        ("redis://me:se@cret@h/0", f"redis://me:{MASK}@h/0"),
        ("redis://h:6379/0", "redis://h:6379/0"),
        ("sqlite:////srv/o.db", "sqlite:////srv/o.db"),
        ("redis+socket:///run/r.sock", "redis+socket:///run/r.sock"),
        ("redis://[broken:secret@h", MASK),
    ],
)
def test_passwords_are_masked(url: str, shown: str) -> None:
    """User and place stay readable; what cannot be parsed is hidden as a whole."""
    assert mask(url) == shown


def test_effective_settings_show_no_secret_and_no_blank() -> None:
    """`orchestrator config` prints what is really used."""
    shown = settings(database_url="postgres://me:hidden@h/d", redis_url="redis://:hidden@h").effective()

    assert shown["database_url"] == f"postgresql+psycopg2://me:{MASK}@h/d"
    assert shown["broker_url"] == shown["redis_url"] == f"redis://:{MASK}@h"
    assert shown["renewal_seconds"] == 1
    assert "hidden" not in str(shown)
    assert settings().effective()["redis_url"] == "(private embedded server)"


# --- crash points ----------------------------------------------------------------------------


@pytest.mark.parametrize("value", [*crash.POINTS, f"{crash.POINTS[0]}:1", f"{crash.POINTS[0]}:12"])
def test_crash_points_are_accepted_by_name_and_turn(value: str) -> None:
    """Checking a setting arms nothing."""
    assert settings(crash_at=value).crash_at == value
    crash.crash_point(crash.POINTS[0])


@pytest.mark.parametrize(
    "value", ["nowhere", "master.before_commit:0", "master.before_commit:x", "x:1", ":2"]
)
def test_wrong_crash_points_are_refused_with_the_list(value: str) -> None:
    """A typing error must not mean `never`."""
    assert "worker.after_send" in faults(crash_at=value)


def test_a_crash_point_that_is_not_armed_does_nothing() -> None:
    """Also when another one is, and when the turn has not come."""
    crash.arm("master.before_commit:3")
    try:
        crash.crash_point("master.after_commit")
        crash.crash_point("master.before_commit")
        crash.crash_point("master.before_commit")
    finally:
        crash.arm(None)
    crash.crash_point("master.before_commit")


# --- alerts ----------------------------------------------------------------------------------


def test_targets_of_the_deployment_are_read_from_one_setting() -> None:
    """With blanks or commas in between."""
    read = settings(alerts="webhook:https://me:hidden@h/x, email:a@b.c command:pager")

    assert [str(one) for one in read.alert_targets] == [
        "webhook:https://me:hidden@h/x",
        "email:a@b.c",
        "command:pager",
    ]
    assert read.effective()["alerts"] == f"webhook:https://me:{MASK}@h/x email:a@b.c command:pager"
    assert settings().alert_targets == ()


@pytest.mark.parametrize("url", ["smtp://h", "smtps://u:p@h:465", "smtp+starttls://h:587", "secret://mail"])
def test_mail_servers_are_accepted(url: str) -> None:
    """With and without TLS, or as a secret's name."""
    assert settings(smtp_url=url).smtp_url == url


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("alerts", "webhook:ops pagr:x", "webhook:URL"),
        ("alerts", "command:rm/-rf", "ORCHESTRATOR_ALERT_<NAME>"),
        ("smtp_url", "mail.example.org:25", "smtp+starttls://"),
        ("smtp_url", "https://h", "a mail server"),
        ("smtp_sender", "Me <a@b.c>", "an address"),
    ],
)
def test_wrong_settings_of_alerts_are_refused(name: str, value: str, rule: str) -> None:
    """With the variable and what would be right."""
    told = faults(**{name: value})

    assert f"ORCHESTRATOR_{name.upper()}" in told
    assert rule in told
