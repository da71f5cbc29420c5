"""Owns what a worker's main process gets: the service beside Celery, and what its task needs there."""

import shutil
import uuid
from typing import Any

from celery import Celery
from celery.utils.nodenames import worker_direct

from orchestrator.broker.claims import Claims
from orchestrator.broker.connection import open_redis
from orchestrator.broker.inbox import WorkerInbox
from orchestrator.broker.keys import Keys
from orchestrator.broker.presence import Presence
from orchestrator.broker.publish import Publisher
from orchestrator.broker.sender import EventSender
from orchestrator.config import Settings
from orchestrator.worker.celery_defaults import redis_url
from orchestrator.worker.claiming import Claiming
from orchestrator.worker.enforcer import Enforcer
from orchestrator.worker.execute import ExecuteTask
from orchestrator.worker.executors.celery_task import OWN
from orchestrator.worker.forwarder import FORWARDED, Forwarder
from orchestrator.worker.heartbeat import Heartbeat, Pulse
from orchestrator.worker.logs import attempt_log_path
from orchestrator.worker.losses import Losses
from orchestrator.worker.notice_board import NoticeBoard
from orchestrator.worker.places import Places
from orchestrator.worker.pool_process import threads_runner
from orchestrator.worker.ports import Identity
from orchestrator.worker.receiver import Receiver
from orchestrator.worker.resender import Resender
from orchestrator.worker.revocations import Revocations
from orchestrator.worker.service import Parts, Service, ask_to_stop
from orchestrator.worker.spool import Spool
from orchestrator.worker.spool_lock import SpoolLock
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


class MainProcess:
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
        self._forwarder: Forwarder | None = None
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
        self._forwarder = Forwarder(
            self._orders.connection_for_read,
            Publisher(app, origin=FORWARDED),
            lambda: tuple(sorted(app.amqp.queues.consume_from)),
            lambda: not board.draining,
        )
        return [Ticker("worker-orders", self._forwarder.step, lambda: PACE_S, ask_to_stop)]

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
            is_connected=self._is_connected,
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
        task.runner = threads_runner(task, self._settings, self._identity, spool, board)

    def _groups(self) -> tuple[str, ...]:
        own = worker_direct(self._identity.name).name
        return tuple(sorted(name for name in self._worker.app.amqp.queues.consume_from if name != own))

    def _is_connected(self) -> bool:
        """Return whether orders can reach this worker; Celery's consumer has no connection while it seeks one."""
        consumer = getattr(self._worker, "consumer", None)
        forwards = self._forwarder is None or self._forwarder.is_connected
        return forwards and getattr(consumer, "connection", None) is not None

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
