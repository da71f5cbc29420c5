"""The application; `attach` is the only line about Orchestrator."""

import os

from celery import Celery

import orchestrator

app = Celery("shop", broker=os.environ.get("SHOP_BROKER", "redis://localhost:6379/0"), include=["shop.tasks"])
app.conf.task_routes = {"shop.tasks.*": {"queue": "shop"}}

orchestrator.attach(app)
