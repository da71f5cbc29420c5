"""Owns how a worker is put together: what its main process gets, and what each process of its pool gets."""

import shutil
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from urllib.parse import quote

import structlog
from celery import Celery, signals
from celery.utils.nodenames import worker_direct

from orchestrator import crash, logging
from orchestrator.broker.claims import Claims
from orchestrator.broker.connection import open_redis
from orchestrator.broker.inbox import WorkerInbox
from orchestrator.broker.keys import Keys
from orchestrator.broker.presence import Presence
from orchestrator.broker.publish import Publisher
from orchestrator.broker.stream import EventSender
from orchestrator.config import Settings, named_settings
from orchestrator.core.worker_name import check_worker_name
from orchestrator.secret_source import WorkerSecrets
from orchestrator.worker.bootstep import WorkerService
from orchestrator.worker.broken_connection import BrokenConnection
from orchestrator.worker.bundles import Bundles
from orchestrator.worker.capture import Capture, ThreadStreams, capture_descriptors
from orchestrator.worker.celery_defaults import redis_url
from orchestrator.worker.claiming import Claiming
from orchestrator.worker.enforcer import Enforcer
from orchestrator.worker.entry import check_redis
from orchestrator.worker.execute import NAME, ExecuteTask
from orchestrator.worker.executors.celery_task import OWN
from orchestrator.worker.executors.environment import base_environment
from orchestrator.worker.executors.port import Workplace
from orchestrator.worker.executors.registry import builtin_registry
from orchestrator.worker.forwarder import FORWARDED, Forwarder
from orchestrator.worker.gate import Gate
from orchestrator.worker.heartbeat import Heartbeat, Pulse
from orchestrator.worker.interrupt import Interrupts
from orchestrator.worker.logs import AttemptLog, attempt_log_path
from orchestrator.worker.losses import Losses
from orchestrator.worker.notice_board import NoticeBoard
from orchestrator.worker.ports import Identity
from orchestrator.worker.process_groups import lead_own_group
from orchestrator.worker.receiver import Receiver
from orchestrator.worker.reporter import Reporter
from orchestrator.worker.resender import Resender
from orchestrator.worker.revocations import Revocations
from orchestrator.worker.runner import Runner, Tools
from orchestrator.worker.service import Parts, Service, ask_to_stop
from orchestrator.worker.shelf import Shelf
from orchestrator.worker.spool import Spool
from orchestrator.worker.spool_lock import SpoolLock
from orchestrator.worker.task_events import LastEvents
from orchestrator.worker.ticker import Ticker
from orchestrator.worker.time_limits import TimeLimits

RECEIVE_S = 1.0
REPORT_S = 0.25
ENFORCE_S = 0.25
PACE_S = 0.05
"""Between two looks into the inbox: emptying the spool can wait, while the process hands the next task on."""
LIMIT_MARGIN_S = 30.0
"""How long behind our enforcer Celery's pool may kill what exceeds a hard time limit."""
MOST_TASKS = 500
"""So many names of tasks stand in a heartbeat."""
PREFORK = "celery.concurrency.prefork"


class Places:
    """The files of one worker name.

    Args:
        settings: Names the home.
        worker: The worker's name.
    """

    def __init__(self, settings: Settings, worker: str) -> None:
        name = quote(worker, safe="@")
        self.spool = settings.spools / f"{name}.db"
        self.lock = settings.spools / f"{name}.lock"
        self.board = settings.spools / f"{name}.board"
        self.scratch = settings.home / "work" / name


def install(app: Celery, settings: Settings, *, orders: Celery | None = None) -> None:
    """Give a Celery app the task `orchestrator.execute` and what must run beside it in its workers.

    Args:
        app: The app of `celery -A orchestrator`, or another one.
        settings: The worker's settings.
        orders: The app whose broker the masters publish to, if it is not that of `app`.
    """
    if NAME in app.tasks:
        return
    task = app.register_task(ExecuteTask())
    steps = app.steps["worker"]
    factory = _factory(task, settings, orders)
    steps.add(type("OrchestratorService", (WorkerService,), {"factory": staticmethod(factory)}))
    app.steps["consumer"].update((BrokenConnection, LastEvents))

    def open_child(sender: str, **_: Any) -> None:
        task.runner = child_runner(task, settings, sender)

    signals.worker_process_init.connect(open_child, weak=False)


def child_runner(task: ExecuteTask, settings: Settings, worker: str) -> Runner:
    """Return the runner of one child of the pool, and make the process ready for it.

    Args:
        task: The application's task.
        settings: The worker's settings.
        worker: The worker's name.
    """
    lead_own_group()
    _configure(settings)
    places = Places(settings, worker)
    board = NoticeBoard(places.board)
    identity = Identity(name=worker, incarnation=board.incarnation, host=settings.host)
    spool = Spool(places.spool, board.incarnation)
    interrupts = Interrupts(lambda order_id: spool.ending(order_id) is not None)
    interrupts.listen()
    workplace = _workplace(settings, places, interrupts, capture_descriptors)
    return _runner(task, settings, identity, spool, board, workplace, interrupts.shielding)


def _factory(task: ExecuteTask, settings: Settings, orders: Celery | None) -> Callable[[Any], Service]:
    def make(worker: Any) -> Service:
        check_worker_name(worker.hostname)
        check_redis(settings)
        _configure(settings)
        return _MainAssembly(settings, worker, orders).service(task)

    return make


class _MainAssembly:
    """Puts together what a worker's main process needs.

    Args:
        settings: The worker's settings.
        worker: Celery's WorkController.
        orders: The app whose broker the masters publish to, if it is not the worker's own.
    """

    def __init__(self, settings: Settings, worker: Any, orders: Celery | None) -> None:
        self._settings = settings
        self._worker = worker
        self._orders = orders
        self._places = Places(settings, worker.hostname)
        self._keys = Keys(settings.key_prefix)
        self._client = open_redis(redis_url(settings), name=f"worker:{worker.hostname}")
        self._identity = Identity(name=worker.hostname, incarnation=uuid.uuid4().hex, host=settings.host)

    def service(self, task: ExecuteTask) -> Service:
        """Return the service, with the name taken; `task` gets what it needs in this process.

        Raises:
            Conflict: Another live worker has this name.
        """
        lock = SpoolLock(self._places.lock)
        lock.acquire(self._identity.name)
        spool = Spool(self._places.spool, self._identity.incarnation)
        board = NoticeBoard.create(self._places.board, self._identity.incarnation)
        enforcer = Enforcer(spool, self._identity.incarnation, self._settings.kill_seconds)
        resender = self._resender(spool)
        heartbeat = self._heartbeat(spool, board, enforcer, resender)
        receiver = self._receiver(spool, enforcer)
        task.losses = Losses(self._identity, spool, resender.deliver, self._log_path)
        task.revocations = Revocations(self._identity, self._claiming(spool), enforcer, self._log_path)
        task.limits = self._limits()
        self._serve_own_queue()
        return Service(
            Parts(
                worker=self._identity.name,
                incarnation=self._identity.incarnation,
                spool=spool,
                spool_path=self._places.spool,
                lock=lock,
                heartbeat=heartbeat,
                tickers=[
                    *self._tickers(resender, heartbeat, receiver, enforcer),
                    *self._forwarding(board),
                ],
                before_start=lambda: self._clear_and_serve(task, spool, board),
            )
        )

    def _claiming(self, spool: Spool) -> Claiming:
        claims = Claims(self._client, self._keys)
        return Claiming(self._identity, spool, claims, self._settings.resend_seconds)

    def _limits(self) -> TimeLimits:
        return TimeLimits(
            tasks=self._worker.app.tasks,
            hard_s=self._worker.time_limit,
            soft_s=self._worker.soft_time_limit,
            margin_s=self._settings.kill_seconds + LIMIT_MARGIN_S,
        )

    def _serve_own_queue(self) -> None:
        """Consume the worker's own queue, as `worker_direct` has it: what others gave back is sent there."""
        own, queues = worker_direct(self._identity.name), self._worker.app.amqp.queues
        if own.name not in queues.consume_from:
            queues.select_add(own)

    def _forwarding(self, board: NoticeBoard) -> list[Ticker]:
        if self._orders is None:
            return []
        app: Celery = self._worker.app
        forwarder = Forwarder(
            self._orders.connection_for_read,
            Publisher(app, origin=FORWARDED),
            lambda: tuple(sorted(app.amqp.queues.consume_from)),
            lambda: not board.draining,
        )
        return [Ticker("worker-orders", forwarder.step, lambda: PACE_S, ask_to_stop)]

    def _resender(self, spool: Spool) -> Resender:
        return Resender(
            self._identity, spool, EventSender(self._client, self._keys), self._settings.resend_seconds
        )

    def _receiver(self, spool: Spool, enforcer: Enforcer) -> Receiver:
        name = self._identity.name
        client = open_redis(redis_url(self._settings), block_s=RECEIVE_S + 1, name=f"inbox:{name}")
        return Receiver(WorkerInbox(client, self._keys, name), spool, enforcer, RECEIVE_S)

    def _heartbeat(
        self, spool: Spool, board: NoticeBoard, enforcer: Enforcer, resender: Resender
    ) -> Heartbeat:
        pulse = Pulse(
            groups=self._groups,
            capacity=self._capacity,
            resent=lambda: resender.resent,
            tasks=self._known_tasks,
            lost_s=self._settings.lost_seconds,
            kill_when_cut_off=self._settings.on_partition == "kill",
        )
        redis = (Presence(self._client, self._keys), Claims(self._client, self._keys))
        return Heartbeat(self._identity, pulse, spool, board, enforcer, redis)

    def _tickers(
        self, resender: Resender, heartbeat: Heartbeat, receiver: Receiver, enforcer: Enforcer
    ) -> list[Ticker]:
        settings = self._settings
        return [
            Ticker("worker-reports", resender.step, lambda: REPORT_S, ask_to_stop),
            Ticker("worker-heartbeat", heartbeat.step, lambda: settings.heartbeat_seconds, ask_to_stop),
            Ticker("worker-inbox", receiver.step, lambda: PACE_S, ask_to_stop),
            Ticker("worker-enforcer", enforcer.step, lambda: ENFORCE_S, ask_to_stop),
        ]

    def _clear_and_serve(self, task: ExecuteTask, spool: Spool, board: NoticeBoard) -> None:
        """Remove what a killed predecessor's attempts left, secrets perhaps, before any attempt of ours."""
        shutil.rmtree(self._places.scratch, ignore_errors=True)
        self._serve_here(task, spool, board)

    def _serve_here(self, task: ExecuteTask, spool: Spool, board: NoticeBoard) -> None:
        """Give this process a runner when the pool has threads, or nothing, instead of children."""
        if self._worker.pool_cls.__module__ == PREFORK:
            return
        interrupts = Interrupts(lambda order_id: spool.ending(order_id) is not None)
        workplace = _workplace(self._settings, self._places, interrupts, ThreadStreams().capture)
        task.runner = _runner(task, self._settings, self._identity, spool, board, workplace)

    def _groups(self) -> tuple[str, ...]:
        own = worker_direct(self._identity.name).name
        return tuple(sorted(name for name in self._worker.app.amqp.queues.consume_from if name != own))

    def _known_tasks(self) -> tuple[str, ...]:
        """Return what nodes of type `celery` can call here; Celery's own tasks and ours are not worth a word."""
        own = (OWN, "celery.")
        known = sorted(name for name in self._worker.app.tasks if not name.startswith(own))
        return tuple(known[:MOST_TASKS])

    def _capacity(self) -> int:
        pool = self._worker.pool
        return int(getattr(pool, "num_processes", 0) or self._worker.concurrency)

    def _log_path(self, workflow_instance_id: int, task: str, attempt: int) -> str:
        return str(attempt_log_path(self._settings.logs, workflow_instance_id, task, attempt))


def _configure(settings: Settings) -> None:
    if not structlog.is_configured():  # an attached application's own configuration stays
        logging.configure(settings.log_level, settings.log_format)
    crash.arm(settings.crash_at)


def _workplace(
    settings: Settings, places: Places, interrupts: Interrupts, capture: Capture
) -> Callable[[AttemptLog], Workplace]:
    environment, connections = base_environment(), named_settings("CONNECTION")

    def workplace(log: AttemptLog) -> Workplace:
        return Workplace(
            scratch=places.scratch,
            source_dir=settings.source_dir,
            environment=environment,
            log=log,
            capture=capture,
            interrupts=interrupts,
            connections=connections,
        )

    return workplace


def _bundles(settings: Settings, identity: Identity) -> Bundles:
    scratch = Places(settings, identity.name).scratch
    return Bundles(settings.bundle_directory, Shelf(settings.unpacked, settings.bundle_days), scratch)


def _runner(  # noqa: PLR0913  all that one process of the pool has
    task: ExecuteTask,
    settings: Settings,
    identity: Identity,
    spool: Spool,
    board: NoticeBoard,
    workplace: Callable[[AttemptLog], Workplace],
    shield: Callable[[], AbstractContextManager[None]] | None = None,
) -> Runner:
    """Return a runner; with `shield` it is a pool child's, without it one that threads share."""
    client, keys = open_redis(redis_url(settings), name=f"pool:{identity.name}"), Keys(settings.key_prefix)
    tools = Tools(
        spool=spool,
        claiming=Claiming(identity, spool, Claims(client, keys), settings.resend_seconds),
        reporter=Reporter(spool, EventSender(client, keys), identity.name),
        executors=builtin_registry(task.app),
        bundles=_bundles(settings, identity),
        gate=Gate(lambda: board.draining, settings.worker_cpu_limit, settings.worker_memory_limit),
        workplace=workplace,
        logs=settings.logs,
        secrets=WorkerSecrets(given=named_settings("SECRET"), directory=settings.secrets_dir),
        threaded=shield is None,
        shield=shield or nullcontext,
        limits=task.limits or TimeLimits(tasks=task.app.tasks, hard_s=task.app.conf.task_time_limit),
    )
    return Runner(identity, tools)
