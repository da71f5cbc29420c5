"""Claims and the generation: who may run a hand-over is decided once, whatever is lost or repeated."""

import pytest
import redis

from orchestrator.broker.claims import ClaimAnswer, Claims, RecallAnswer
from orchestrator.broker.generation import Generations
from orchestrator.broker.keys import CLAIM_TTL_S, Keys
from orchestrator.broker.stream import EventStream
from orchestrator.embedded.redis import PrivateRedis
from orchestrator.errors import BrokerUnavailable

ORDER = "7:load:1:1"
HOLDER = "celery@w1|incarnation1"
OTHER = "celery@w2|incarnation2"


@pytest.fixture
def claims(client: redis.Redis, redis_keys: Keys) -> Claims:
    """Claims of a server that has just lost everything, scripts included."""
    return Claims(client, redis_keys)


@pytest.fixture
def generations(client: redis.Redis, redis_keys: Keys) -> Generations:
    """The generation of the same server."""
    return Generations(client, redis_keys)


@pytest.fixture
def generation(generations: Generations) -> str:
    """The present generation."""
    return generations.current()


def test_one_worker_gets_the_claim_and_the_other_does_not(claims: Claims, generation: str) -> None:
    """The second hears who holds it."""
    first = claims.claim(ORDER, HOLDER, "n1", generation)
    second = claims.ask(ORDER, OTHER, "n2", generation)

    assert first is ClaimAnswer.CLAIMED
    assert (second.answer, second.holder) == (ClaimAnswer.TAKEN, HOLDER)


def test_a_claim_whose_reply_was_lost_is_recognised_as_ones_own(claims: Claims, generation: str) -> None:
    """The same nonce means the same delivery (I19)."""
    # teeth: fails when the script drops `and held ~= ARGV[1]`
    claims.claim(ORDER, HOLDER, "n1", generation)

    assert claims.claim(ORDER, HOLDER, "n1", generation) is ClaimAnswer.CLAIMED


def test_a_redelivery_to_the_same_worker_is_refused(claims: Claims, generation: str) -> None:
    """The broker delivered the message again: another nonce."""
    claims.claim(ORDER, HOLDER, "n1", generation)

    assert claims.claim(ORDER, HOLDER, "n2", generation) is ClaimAnswer.TAKEN


def test_a_message_of_an_old_generation_never_starts(claims: Claims, generation: str) -> None:
    """Neither does its claim stand in anybody's way (I19)."""
    # teeth: fails when the script drops the comparison of `known[1]`
    assert claims.claim(ORDER, HOLDER, "n1", "another") is ClaimAnswer.OLD_GENERATION
    assert claims.recall([ORDER]) == [RecallAnswer(order_id=ORDER, won=True)]
    assert claims.claim(ORDER, HOLDER, "n1", generation) is ClaimAnswer.TAKEN


def test_the_claim_and_its_running_event_are_one_step(
    claims: Claims, generation: str, client: redis.Redis, redis_keys: Keys
) -> None:
    """The entry is there with the claim; who is refused adds none."""
    won = claims.ask(ORDER, HOLDER, "n1", generation, running=(3, 11, b"running"))
    claims.ask(ORDER, OTHER, "n2", generation, running=(3, 12, b"other"))

    stream = EventStream(client, redis_keys, "m")
    stream.ensure_groups([3])
    (entry,) = stream.read([3], count=10)
    assert (entry.id, entry.worker, entry.spool_id, entry.payload) == (won.entry, "celery@w1", 11, b"running")


def test_a_recall_wins_against_nobody_and_keeps_workers_out(claims: Claims, generation: str) -> None:
    """Won means: nobody runs it, nor ever will; asking again gives the same answer."""
    first = claims.recall([ORDER])
    again = claims.recall([ORDER])

    assert first == again == [RecallAnswer(order_id=ORDER, won=True)]
    assert claims.ask(ORDER, HOLDER, "n1", generation).holder == "recalled"


def test_a_recall_that_comes_too_late_names_the_holder(claims: Claims, generation: str) -> None:
    """Many orders are recalled in one round trip, each with its own answer."""
    claims.claim(ORDER, HOLDER, "n1", generation)

    assert claims.recall([ORDER, "7:x:1:1"]) == [
        RecallAnswer(order_id=ORDER, won=False, holder=HOLDER),
        RecallAnswer(order_id="7:x:1:1", won=True),
    ]
    assert claims.recall([]) == []


def test_renewal_prolongs_own_claims(
    claims: Claims, generation: str, client: redis.Redis, redis_keys: Keys
) -> None:
    """A task that runs for days keeps its claim."""
    claims.claim(ORDER, HOLDER, "n1", generation, 10.0)

    lost = claims.renew([ORDER], HOLDER)

    assert lost == frozenset()
    assert client.ttl(redis_keys.claim(ORDER)) > CLAIM_TTL_S - 60


def test_renewal_sets_a_forgotten_claim_again(claims: Claims, generation: str) -> None:
    """Redis was wiped under a running task: a redelivery must not start it a second time."""
    claims.renew([ORDER], HOLDER)

    assert claims.claim(ORDER, HOLDER, "n2", generation) is ClaimAnswer.TAKEN
    assert claims.recall([ORDER]) == [RecallAnswer(order_id=ORDER, won=False, holder=HOLDER)]


def test_renewal_tells_which_claims_are_somebody_elses(claims: Claims, generation: str) -> None:
    """A recalled order, or one of a worker whose name begins alike, is not taken away."""
    claims.recall(["a"])
    claims.claim("b", HOLDER + "0", "n1", generation)

    lost = claims.renew(["a", "b", "c"], HOLDER)

    assert lost == frozenset({"a", "b"})
    assert claims.recall(["b"])[0].holder == HOLDER + "0"
    assert claims.renew([], HOLDER) == frozenset()


def test_the_generation_stays_while_redis_lives(generations: Generations) -> None:
    """It is new once, then known; every master sees the same."""
    first = generations.ensure()
    second = generations.ensure()

    assert first == (second[0], True)
    assert second[1] is False
    assert generations.current() == first[0]


def test_a_wiped_redis_gets_a_new_generation(generations: Generations, client: redis.Redis) -> None:
    """Messages that a worker or another broker still holds are void."""
    before = generations.current()
    client.flushall()

    after, changed = generations.ensure()

    assert changed
    assert after != before


def test_nothing_is_recalled_while_redis_may_have_forgotten_its_claim(
    claims: Claims, generations: Generations, client: redis.Redis
) -> None:
    """After a wipe a free claim means nothing until the living had time to claim again what they hold."""
    # teeth: fails when the script takes what is free whatever the generation
    before = generations.current()
    client.flushall()
    assert claims.recall([ORDER], published={ORDER: before}, settle_s=60.0) == [], "nobody has noticed yet"

    present = generations.current()
    answers = claims.recall(
        [ORDER, "7:new:1:1"], published={ORDER: before, "7:new:1:1": present}, settle_s=60.0
    )

    assert answers == [RecallAnswer(order_id="7:new:1:1", won=True)]
    assert not generations.is_settled(60.0)
    claims.renew([ORDER], HOLDER)
    assert claims.recall([ORDER], settle_s=0.0) == [RecallAnswer(order_id=ORDER, won=False, holder=HOLDER)]


def test_a_clock_that_was_put_back_is_waited_for_once_only(
    claims: Claims, generations: Generations, client: redis.Redis, redis_keys: Keys
) -> None:
    """A generation of the future is taken for one of now: the wait is as long as ever, not as the jump."""
    # teeth: fails when a negative age is compared like any other
    generations.current()
    hour_s = 3600
    client.hset(redis_keys.generation(), "made_at", str((client.time()[0] + hour_s) * 1000))
    assert claims.recall([ORDER], settle_s=60.0) == []

    assert generations.is_settled(0.0) or generations.is_settled(0.0)
    made_at = int(client.hget(redis_keys.generation(), "made_at") or 0) // 1000
    assert abs(client.time()[0] - made_at) <= 2


def test_a_restarted_redis_starts_nothing_until_a_master_has_noticed(
    redis_server: PrivateRedis, real_client: redis.Redis, redis_keys: Keys
) -> None:
    """It may have forgotten its last claims, although the key of the generation is on its disk."""
    # teeth: fails when the script drops the comparison of the run id
    claims, generations = Claims(real_client, redis_keys), Generations(real_client, redis_keys)
    generation = generations.current()
    redis_server.kill()
    redis_server.start()

    assert claims.claim(ORDER, HOLDER, "n1", generation) is ClaimAnswer.OLD_GENERATION
    after, changed = generations.ensure()
    assert changed
    assert after != generation
    assert claims.claim(ORDER, HOLDER, "n1", after) is ClaimAnswer.CLAIMED


def test_scripts_survive_that_redis_forgets_them(
    claims: Claims, generation: str, client: redis.Redis
) -> None:
    """NOSCRIPT is answered by sending the script again."""
    client.script_flush()

    assert claims.claim(ORDER, HOLDER, "n1", generation) is ClaimAnswer.CLAIMED


def test_a_redis_that_is_away_claims_nothing(
    redis_server: PrivateRedis, real_client: redis.Redis, redis_keys: Keys
) -> None:
    """Every call fails in the one declared way: do not start, ask again."""
    claims, generations = Claims(real_client, redis_keys), Generations(real_client, redis_keys)
    redis_server.kill()

    for call in (
        lambda: claims.claim(ORDER, HOLDER, "n1", "g"),
        lambda: claims.renew([ORDER], HOLDER),
        lambda: claims.recall([ORDER]),
        generations.ensure,
    ):
        with pytest.raises(BrokerUnavailable):
            call()
    redis_server.start()
