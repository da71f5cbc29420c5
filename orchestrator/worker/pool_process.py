"""Owns what each process of a worker's pool gets: the runner of attempts, and what that needs."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import structlog

from orchestrator import crash, logging
from orchestrator.broker.claims import Claims
from orchestrator.broker.connection import open_redis
from orchestrator.broker.keys import Keys
from orchestrator.broker.sender import EventSender
from orchestrator.config import Settings, named_settings
from orchestrator.secret_source import WorkerSecrets
from orchestrator.worker.bundles import Bundles
from orchestrator.worker.capture import Capture, ThreadStreams, capture_descriptors
from orchestrator.worker.celery_defaults import redis_url
from orchestrator.worker.claiming import Claiming
from orchestrator.worker.execute import ExecuteTask
from orchestrator.worker.executors.environment import base_environment
from orchestrator.worker.executors.port import Workplace
from orchestrator.worker.executors.registry import builtin_registry
from orchestrator.worker.gate import Gate
from orchestrator.worker.interrupt import Interrupts
from orchestrator.worker.logs import AttemptLog
from orchestrator.worker.notice_board import NoticeBoard
from orchestrator.worker.places import Places
from orchestrator.worker.ports import Identity
from orchestrator.worker.process_groups import lead_own_group
from orchestrator.worker.reporter import Reporter
from orchestrator.worker.runner import Runner, Tools
from orchestrator.worker.shelf import Shelf
from orchestrator.worker.spool import Spool
from orchestrator.worker.time_limits import TimeLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What a runner has of its process: that of a pool's child, or the one whose threads share it.

    Attributes:
        capture: Takes what an attempt prints.
        shield: Keeps interruptions from what must not be cut short; `None`: threads are not interrupted.
    """

    identity: Identity
    places: Places
    spool: Spool
    board: NoticeBoard
    interrupts: Interrupts
    capture: Capture
    shield: Callable[[], AbstractContextManager[None]] | None = None


def child_runner(task: ExecuteTask, settings: Settings, worker: str) -> Runner:
    """Return the runner of one child of the pool, and make the process ready for it.

    Args:
        task: The application's task.
        settings: The worker's settings.
        worker: The worker's name.
    """
    lead_own_group()
    configure(settings)
    places = Places(settings, worker)
    board = NoticeBoard(places.board)
    spool = Spool(places.spool, board.incarnation)
    interrupts = Interrupts(lambda order_id: spool.ending(order_id) is not None)
    interrupts.listen()
    room = Room(
        identity=Identity(name=worker, incarnation=board.incarnation, host=settings.host),
        places=places,
        spool=spool,
        board=board,
        interrupts=interrupts,
        capture=capture_descriptors,
        shield=interrupts.shielding,
    )
    return _runner(task, settings, room)


def threads_runner(
    task: ExecuteTask, settings: Settings, identity: Identity, spool: Spool, board: NoticeBoard
) -> Runner:
    """Return the runner that the threads of a pool without children share, in the main process.

    Args:
        task: The application's task.
        settings: The worker's settings.
        identity: The worker.
        spool: The main process's.
        board: The same.
    """
    room = Room(
        identity=identity,
        places=Places(settings, identity.name),
        spool=spool,
        board=board,
        interrupts=Interrupts(lambda order_id: spool.ending(order_id) is not None),
        capture=ThreadStreams().capture,
    )
    return _runner(task, settings, room)


def configure(settings: Settings) -> None:
    """Make logging and crash points of this process what the settings say."""
    if not structlog.is_configured():  # an attached application's own configuration stays
        logging.configure(settings.log_level, settings.log_format)
    crash.arm(settings.crash_at)


def _workplace(settings: Settings, room: Room) -> Callable[[AttemptLog], Workplace]:
    environment, connections = base_environment(), named_settings("CONNECTION")

    def workplace(log: AttemptLog) -> Workplace:
        return Workplace(
            scratch=room.places.scratch,
            source_dir=settings.source_dir,
            environment=environment,
            log=log,
            capture=room.capture,
            interrupts=room.interrupts,
            connections=connections,
        )

    return workplace


def _bundles(settings: Settings, places: Places) -> Bundles:
    shelf = Shelf(settings.unpacked, settings.bundle_days)
    return Bundles(settings.bundle_directory, shelf, places.scratch)


def _runner(task: ExecuteTask, settings: Settings, room: Room) -> Runner:
    identity, spool = room.identity, room.spool
    client, keys = open_redis(redis_url(settings), name=f"pool:{identity.name}"), Keys(settings.key_prefix)
    tools = Tools(
        spool=spool,
        claiming=Claiming(identity, spool, Claims(client, keys), settings.resend_seconds),
        reporter=Reporter(spool, EventSender(client, keys), identity.name),
        executors=builtin_registry(task.app),
        bundles=_bundles(settings, room.places),
        gate=Gate(lambda: room.board.draining, settings.worker_cpu_limit, settings.worker_memory_limit),
        workplace=_workplace(settings, room),
        logs=settings.logs,
        secrets=WorkerSecrets(given=named_settings("SECRET"), directory=settings.secrets_dir),
        threaded=room.shield is None,
        shield=room.shield or nullcontext,
        limits=task.limits or TimeLimits(tasks=task.app.tasks, hard_s=task.app.conf.task_time_limit),
    )
    return Runner(identity, tools)
