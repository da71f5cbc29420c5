"""Dead letters: kept with their reason, shown, put back, deleted."""

from datetime import UTC, datetime, timedelta

import pytest
import redis

from orchestrator.broker.codec import encode
from orchestrator.broker.deadletters import DeadLetters
from orchestrator.broker.keys import Keys
from orchestrator.broker.stream import Entry, EventStream
from orchestrator.core.event import TaskRunning
from orchestrator.errors import NotFound

EVENT = TaskRunning(workflow_instance_id=7, task="load", attempt=2, dispatch=1, ticket="forged", worker="w1")


def entry(payload: bytes = b"\xff", number: int = 1) -> Entry:
    """An entry as it was read."""
    return Entry(slot=3, id=f"{number}-0", worker="w1", spool_id=number, payload=payload)


def test_a_buried_event_is_kept_with_its_reason(client: redis.Redis, redis_keys: Keys) -> None:
    """As far as it can be read, it says what it was about (I7)."""
    dead = DeadLetters(client, redis_keys)

    letter_id = dead.bury(entry(encode(EVENT)), "wrong ticket")

    letter = dead.show(letter_id)
    assert (letter.reason, letter.slot, letter.worker, letter.spool_id) == ("wrong ticket", 3, "w1", 1)
    assert (letter.type, letter.workflow_instance_id, letter.task, letter.attempt) == (
        "RUNNING",
        7,
        "load",
        2,
    )
    assert datetime.now(UTC) - letter.received_at < timedelta(minutes=1)


def test_bytes_that_nobody_can_read_are_kept_too(client: redis.Redis, redis_keys: Keys) -> None:
    """Nothing is known of it but its bytes."""
    dead = DeadLetters(client, redis_keys)

    dead.bury(entry(b"\xff\x00"), "not \0 JSON")

    (letter,) = dead.list()
    assert (letter.payload, letter.reason, letter.type) == (b"\xff\x00", "not  JSON", None)


def test_the_newest_come_first(client: redis.Redis, redis_keys: Keys) -> None:
    """A list has a limit."""
    dead = DeadLetters(client, redis_keys)
    for number in range(1, 4):
        dead.bury(entry(number=number), "x")

    assert [letter.spool_id for letter in dead.list(limit=2)] == [3, 2]


def test_a_replayed_event_is_back_in_its_stream(client: redis.Redis, redis_keys: Keys) -> None:
    """With its sender and payload, and no longer among the dead."""
    dead = DeadLetters(client, redis_keys)
    letter_id = dead.bury(entry(b"payload"), "x")
    stream = EventStream(client, redis_keys, "m")
    stream.ensure_groups([3])

    assert dead.replay([letter_id]) == 1

    (read,) = stream.read([3], count=10)
    assert (read.worker, read.spool_id, read.payload) == ("w1", 1, b"payload")
    assert dead.list() == []


def test_replaying_is_all_or_nothing(client: redis.Redis, redis_keys: Keys) -> None:
    """An unknown id among others changes nothing."""
    dead = DeadLetters(client, redis_keys)
    letter_id = dead.bury(entry(), "x")

    with pytest.raises(NotFound, match="9-9"):
        dead.replay([letter_id, "9-9"])

    assert len(dead.list()) == 1
    assert client.exists(redis_keys.events(3)) == 0


@pytest.mark.parametrize("letter_id", ["9-9", "nonsense", "", "1-99999999999999999999999", "²-1"])
def test_an_unknown_id_is_not_found(client: redis.Redis, redis_keys: Keys, letter_id: str) -> None:
    """Whatever a person types."""
    with pytest.raises(NotFound):
        DeadLetters(client, redis_keys).show(letter_id)


def test_dead_letters_are_purged_all_or_some(client: redis.Redis, redis_keys: Keys) -> None:
    """The number of those deleted is returned."""
    dead = DeadLetters(client, redis_keys)
    ids = [dead.bury(entry(number=number), "x") for number in range(1, 5)]

    assert dead.purge([ids[0], "9-9", "nonsense"]) == 1
    assert dead.purge() == 3
    assert dead.purge() == 0
    assert dead.purge(["nonsense"]) == 0
