"""Which broker URLs Celery can do something with on this machine."""

import pytest

from orchestrator.broker.transport import check_transport
from orchestrator.errors import SettingsError


@pytest.mark.parametrize(
    "url",
    [
        "redis://h/0",
        "redis+socket:///run/r.sock?virtual_host=0",
        "amqp://guest@h//",
        "sentinel://h:1;sentinel://i:1",
        "memory://",
    ],
)
def test_known_transports_with_their_library_pass(url: str) -> None:
    """Nothing is connected."""
    check_transport(url)


def test_unknown_transport_is_refused_with_a_guess() -> None:
    """The variable, the value without its password, what it could have meant."""
    with pytest.raises(SettingsError) as caught:
        check_transport("amqp://a//;ampq://me:secret@h//")

    told = str(caught.value)
    assert told.startswith("ORCHESTRATOR_BROKER_URL: 'ampq://me:******@h//' is of no kind that Celery knows")
    assert "(did you mean 'amqp'?)" in told


@pytest.mark.parametrize(
    ("url", "package"), [("sqs://h", "kombu[sqs]"), ("kafka://h", "kombu[confluentkafka]")]
)
def test_missing_library_is_named_with_its_package(url: str, package: str) -> None:
    """The transport is known, what it is made of is not installed here."""
    with pytest.raises(SettingsError, match=f"^ORCHESTRATOR_BROKER_URL: '{url}' needs a library") as caught:
        check_transport(url)

    assert f"pip install '{package}'" in str(caught.value)
