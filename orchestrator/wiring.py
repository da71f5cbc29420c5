"""Owns the composition of a master process: settings in, running daemon out."""

import os
import random
import secrets
import signal
import sys
import time
from importlib import metadata
from types import FrameType

from orchestrator import crash
from orchestrator.alerting.assembly import build_carrier
from orchestrator.broker.claims import Claims
from orchestrator.broker.connection import open_redis
from orchestrator.broker.deadletters import DeadLetters
from orchestrator.broker.generation import Generations, RecentGeneration
from orchestrator.broker.inbox import Stops
from orchestrator.broker.keys import Keys
from orchestrator.broker.masters import Control, MasterBoard
from orchestrator.broker.presence import Presence
from orchestrator.broker.publish import Publisher
from orchestrator.broker.stream import EventStream
from orchestrator.broker.transport import check_transport
from orchestrator.celery import create_app
from orchestrator.config import Settings
from orchestrator.master.daemon import Daemon, Plan, Service
from orchestrator.master.ingredients import Limits, Ports, Timing
from orchestrator.master.ownership import Ownership
from orchestrator.master.post import Post
from orchestrator.store import migrate
from orchestrator.store.backfills import Backfills
from orchestrator.store.cache import Cache
from orchestrator.store.children import Children
from orchestrator.store.commands import Commands
from orchestrator.store.commit import GroupCommit
from orchestrator.store.history import History
from orchestrator.store.instances import Instances
from orchestrator.store.leases import SlotLeases
from orchestrator.store.masters import Master
from orchestrator.store.outbox import Outbox
from orchestrator.store.pools import Pools
from orchestrator.store.schedules import Schedules
from orchestrator.store.session import Engine, open_engine
from orchestrator.store.turns import Turns
from orchestrator.worker.celery_defaults import redis_url

READ_BLOCK_S = 1.0
GENERATION_FRESH_S = 0.5
TICKET_BYTES = 12
THREAD_SWITCH_S = 0.0005
"""The loop waits for its turn behind the reader and the messenger: Python's 5 ms are a hop of a chain."""


def run_master(settings: Settings) -> int:
    """Run a master until it is told to stop (SIGTERM, SIGINT); return its exit code.

    Args:
        settings: Where everything is.

    Raises:
        SchemaMismatch: The database's schema is not this program's.
        SettingsError: Celery has nothing that speaks to the broker.
        StoreUnavailable: The database did not answer at the start.
    """
    crash.arm(settings.crash_at)
    sys.setswitchinterval(THREAD_SWITCH_S)
    engine = open_engine(
        settings.database,
        "master",
        lease_s=settings.lease_seconds,
        connect_timeout_s=settings.connect_timeout_seconds,
    )
    migrate.check(engine)
    daemon = build_daemon(settings, engine)

    def stop(_number: int, _frame: FrameType | None) -> None:
        daemon.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return daemon.run()


def build_daemon(settings: Settings, engine: Engine) -> Daemon:
    """Return a daemon on a real database and a real Redis; nothing is started yet."""
    incarnation = secrets.token_hex(8)
    name = f"master@{settings.host}:{incarnation[:6]}"
    commit = GroupCommit(engine)
    row = Master(
        incarnation=incarnation,
        name=name,
        host=settings.host,
        pid=os.getpid(),
        version=metadata.version("orchestrator"),
    )
    service = Service(
        ports=_ports(settings, engine, commit, name),
        leases=Ownership(SlotLeases(engine, row), incarnation),
        outbox=Outbox(engine),
        carry=build_carrier(settings).carry,
        everywhere=settings.alert_targets,
        database_now=commit.database_now,
        monotonic=time.monotonic,
        chance=random.random,
        new_ticket=_new_ticket,
    )
    plan = Plan(
        name=name,
        incarnation=incarnation,
        pid=os.getpid(),
        lease_s=settings.lease_seconds,
        renewal_s=settings.renewal,
        timing=timing_of(settings),
        limits=Limits(
            cpu=settings.master_cpu_limit,
            memory=settings.master_memory_limit,
            inbox=settings.inbox_limit,
            map_elements=settings.map_limit,
        ),
    )
    return Daemon(service, plan)


def timing_of(settings: Settings) -> Timing:
    """Return the master's time limits."""
    return Timing(
        heartbeat_s=settings.heartbeat_seconds,
        lost_s=settings.lost_seconds,
        resend_s=settings.resend_seconds,
        dispatch_timeout_s=settings.dispatch_timeout_seconds,
        kill_s=settings.kill_seconds,
        sweep_s=settings.mail_sweep_seconds,
    )


def _ports(settings: Settings, engine: Engine, commit: GroupCommit, name: str) -> Ports:
    url = redis_url(settings)
    keys = Keys(settings.key_prefix)
    timeout_s = settings.connect_timeout_seconds
    client = open_redis(url, connect_timeout_s=timeout_s, name=name)
    reader = open_redis(url, connect_timeout_s=timeout_s, block_s=READ_BLOCK_S, name=f"{name}:reader")
    generations = Generations(client, keys)
    app = create_app()
    check_transport(app.conf.broker_url)  # of a `celeryconfig.py`, perhaps
    return Ports(
        runs=Instances(engine),
        history=History(engine),
        cache=Cache(engine),
        children=Children(engine),
        committer=commit,
        commands=Commands(engine),
        streams=EventStream(reader, keys, consumer=name),
        graveyard=DeadLetters(client, keys),
        post=Post(
            courier=Publisher(app),
            recaller=Claims(client, keys),
            stopper=Stops(client, keys),
            generation=RecentGeneration(generations, time.monotonic, GENERATION_FRESH_S),
        ),
        beats=Presence(client, keys),
        generations=generations,
        board=MasterBoard(client, keys),
        requests=Control(client, keys),
        schedules=Schedules(engine),
        backfills=Backfills(engine),
        pools=Pools(engine),
        turns=Turns(engine),
    )


def _new_ticket() -> str:
    return secrets.token_urlsafe(TICKET_BYTES)
