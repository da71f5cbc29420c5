"""What only the simulated Redis can do: lose seconds, be wiped, repeat itself to the byte, and lose replies."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import redis
from redis.exceptions import ConnectionError as Unreachable
from redis.exceptions import ResponseError, WatchError

from orchestrator.broker.claims import ClaimAnswer, Claims
from orchestrator.broker.generation import Generations
from orchestrator.broker.keys import Keys
from orchestrator.broker.sender import EventSender
from orchestrator.broker.stream import EventStream
from orchestrator.errors import BrokerUnavailable
from tests.simulation.redis_client import Direct, connect
from tests.simulation.redis_server import SimulatedServer

KEYS = Keys("o:")
HOLDER = "celery@w1|incarnation1"


class Clock:
    """Simulated time, from some moment on."""

    def __init__(self) -> None:
        self.now_s = 1_750_000_000.0

    def __call__(self) -> float:
        """Return seconds since the epoch."""
        return self.now_s


class Spoilt:
    """A network whose next replies are lost, or whose next commands are.

    Attributes:
        trips: The names of the commands of each round trip.
    """

    def __init__(self) -> None:
        self.lost_replies = 0
        self.lost_commands = 0
        self.trips: list[list[str]] = []

    def call(
        self, who: str, commands: Sequence[tuple[Any, ...]], execute: Callable[[], list[Any]]
    ) -> list[Any]:
        """Do a round trip, or lose it."""
        self.trips.append([command[0] for command in commands])
        if self.lost_commands:
            self.lost_commands -= 1
            raise Unreachable(who)
        replies = execute()
        if self.lost_replies:
            self.lost_replies -= 1
            raise Unreachable(who)
        return replies


class World:
    """A server with a history, its clock, and a client."""

    def __init__(self, seed: int = 1, *, keep_history: bool = True) -> None:
        self.clock = Clock()
        self.server = SimulatedServer(self.clock, random.Random(seed), keep_history=keep_history)  # noqa: S311  # no secret
        self.network = Spoilt()
        self.client: redis.Redis = connect(self.server, self.network, "w1")

    def write_each_second(self, number: int) -> None:
        """Append 1, 2, 3 … to the list `l`, one each second, and say so in `last`."""
        for value in range(1, number + 1):
            self.clock.now_s += 1.0
            self.client.rpush("l", value)
            self.client.set("last", value)


@pytest.fixture
def world() -> World:
    """An empty server."""
    return World()


def test_a_restart_may_lose_the_last_seconds(world: World) -> None:
    """Every key is as it was then; what did not change since is there."""
    world.client.hset("h", "f", "v")
    world.write_each_second(10)

    world.server.restart(seconds_lost=3.0)

    assert world.client.lrange("l", 0, -1) == [b"%d" % value for value in range(1, 8)]
    assert (world.client.get("last"), world.client.hget("h", "f")) == (b"7", b"v")


def test_a_restart_loses_nothing_of_what_is_older(world: World) -> None:
    """A server at rest had time to write everything to its disk."""
    world.write_each_second(3)
    world.clock.now_s += 10.0

    world.server.restart(seconds_lost=5.0)
    world.server.restart(seconds_lost=5.0)

    assert world.client.get("last") == b"3"


def test_losing_more_than_there_was_leaves_nothing(world: World) -> None:
    """Also of streams, which change in place."""
    world.client.xadd("s", {"f": "v"})
    world.write_each_second(3)

    world.server.restart(seconds_lost=100.0)

    assert world.server.keys() == []


def test_a_stream_goes_back_with_its_groups(world: World) -> None:
    """What was read and acknowledged since is new again."""
    stream = EventStream(world.client, KEYS, "m")
    stream.ensure_groups([0])
    EventSender(world.client, KEYS).send(0, "w1", 7, b"event")
    world.clock.now_s += 5.0
    (entry,) = stream.read([0], count=10)
    stream.acknowledge([(entry, "ok")])

    world.server.restart(seconds_lost=2.0)

    assert world.server.pending() == {KEYS.events(0).encode(): 0}
    assert stream.read([0], count=10) == [entry]


def test_who_keeps_no_history_cannot_go_back() -> None:
    """A simulation that wants loss must say so at the start."""
    with pytest.raises(ValueError, match="no history"):
        World(keep_history=False).server.restart(seconds_lost=1.0)


def test_a_wiped_server_has_another_run_id_and_no_scripts(world: World) -> None:
    """Nothing of before is left, and cannot come back by another restart."""
    world.write_each_second(3)
    sha = world.client.script_load("return 1")
    before = world.client.info("server")["run_id"]

    world.server.restart(wipe=True)
    world.server.restart(seconds_lost=60.0)

    assert world.server.keys() == []
    assert world.client.info("server")["run_id"] != before
    assert world.client.script_exists(sha) == [False]


def test_a_flushed_server_keeps_its_run_id(world: World) -> None:
    """As after FLUSHALL: only the keys are gone."""
    world.write_each_second(1)
    sha = world.client.script_load("return 1")
    before = world.client.info("server")["run_id"]

    world.server.flush()

    assert world.server.keys() == []
    assert world.client.info("server")["run_id"] == before
    assert world.client.script_exists(sha) == [True]


def test_nothing_starts_after_a_restart_until_a_master_has_noticed(world: World) -> None:
    """The claim's script sees the new run id; it is loaded again by itself."""
    claims, generations = Claims(world.client, KEYS), Generations(world.client, KEYS)
    generation = generations.current()
    claims.claim("7:a:1:1", HOLDER, "n1", generation)
    world.server.restart()

    answers = [claims.claim("7:b:1:1", HOLDER, "n1", generation)]
    answers.append(claims.claim("7:b:1:1", HOLDER, "n1", generations.ensure()[0]))

    assert answers == [ClaimAnswer.OLD_GENERATION, ClaimAnswer.CLAIMED]
    assert world.network.trips[-1] == ["EVALSHA"]


def test_the_same_calls_get_the_same_replies() -> None:
    """Ids, run ids and scripts' answers depend on the clock and the seed alone."""

    def story(seed: int) -> list[Any]:
        world = World(seed)
        claims = Claims(world.client, KEYS)
        world.client.hset(
            KEYS.generation(), mapping={"generation": "g", "run_id": world.client.info()["run_id"]}
        )
        asked = [claims.ask("7:a:1:1", HOLDER, nonce, "g", running=(1, 1, b"x")) for nonce in ("n1", "n2")]
        world.server.restart(seconds_lost=1.0)
        sent = EventSender(world.client, KEYS).send(1, "w1", 1, b"x")
        return [asked, sent, world.client.info(), world.server.version, world.server.keys()]

    assert story(1) == story(1)
    assert story(1)[2] != story(2)[2]


def test_keys_expire_on_simulated_time(world: World) -> None:
    """And look as if they had never been."""
    world.client.set("k", "v", ex=10)
    world.clock.now_s += 9.5
    before = world.client.get("k")

    world.clock.now_s += 0.5

    assert (before, world.client.get("k"), world.client.ttl("k")) == (b"v", None, -2)


def test_ids_grow_though_the_clock_goes_back(world: World) -> None:
    """A stream's order is the order of its writes."""
    first = world.client.xadd("s", {"f": "v"})
    world.clock.now_s -= 60.0

    second = world.client.xadd("s", {"f": "v"})

    assert [one for one, _ in world.server.stream_entries("s")] == [first, second]
    assert second == b"1750000000000-1"


def test_a_lost_reply_has_its_effect_and_a_lost_command_has_none(world: World) -> None:
    """The client hears the same in both cases."""
    sender = EventSender(world.client, KEYS)
    world.network.lost_commands = 1
    with pytest.raises(BrokerUnavailable):
        sender.send(0, "w1", 1, b"x")
    before = world.server.stream_lengths()
    world.network.lost_replies = 1
    with pytest.raises(BrokerUnavailable):
        sender.send(0, "w1", 2, b"x")

    assert before == {}
    assert world.server.stream_lengths() == {KEYS.events(0).encode(): 1}


def test_the_version_grows_with_writes_only(world: World) -> None:
    """A reader that finds nothing wakes nobody."""
    stream = EventStream(world.client, KEYS, "m")
    stream.ensure_groups([0])
    stream.read([0], count=10)
    before = world.server.version

    stream.read([0], count=10)
    world.client.get("k")
    unchanged = world.server.version
    world.client.set("k", "v")

    assert (unchanged, world.server.version > before) == (before, True)


def test_a_watched_key_that_changed_stops_the_transaction(world: World) -> None:
    """So does a restart, and a connection that is lost meanwhile."""

    def disturb() -> None:
        world.network.lost_replies = 1

    disturbances: list[Callable[[], object]] = [
        lambda: world.client.set("k", "other"),
        world.server.restart,
        disturb,
    ]
    for disturbance in disturbances:
        with world.client.pipeline() as opened:
            pipe: Any = opened  # `watch` has no type hints
            pipe.watch("k")
            pipe.multi()
            pipe.set("mine", "v")
            disturbance()
            with pytest.raises(WatchError):
                pipe.execute()


def test_a_pipeline_is_one_round_trip_and_says_which_command_failed(world: World) -> None:
    """The commands after it are carried out all the same."""
    world.client.set("k", "v")
    with world.client.pipeline(transaction=False) as pipe:
        pipe.get("k")
        pipe.lpush("k", "v")
        pipe.set("j", "w", ex=5)
        with pytest.raises(ResponseError, match=r"Command # 2 .* WRONGTYPE"):
            pipe.execute()

    assert world.network.trips[-1] == ["GET", "LPUSH", "SET"]
    assert world.server.peek("j") == b"w"


def test_a_command_that_is_not_simulated_is_named(world: World) -> None:
    """Nobody takes its silence for an answer."""
    with pytest.raises(NotImplementedError, match="GEOADD"):
        world.client.geoadd("k", [1.0, 2.0, "place"])


def test_the_oracle_sees_what_is_there(world: World) -> None:
    """Values as Python's own, without any round trip."""
    world.client.hset("h", "f", "v")
    world.client.zadd("z", {"m": 1.5})
    world.client.rpush("l", "a", "b")
    world.client.xadd("s", {"f": "v"}, id="1-1")
    trips = len(world.network.trips)

    seen = {key: world.server.peek(key) for key in (*world.server.keys(), b"none")}

    assert seen == {
        b"h": {b"f": b"v"},
        b"z": {b"m": 1.5},
        b"l": [b"a", b"b"],
        b"s": [(b"1-1", {b"f": b"v"})],
        b"none": None,
    }
    assert len(world.network.trips) == trips


def test_a_trivial_network_does_what_it_is_told(world: World) -> None:
    """For tests that need a Redis and no faults."""
    client = connect(world.server, Direct(), "anybody")

    assert (client.ping(), client.get("k")) == (True, None)
