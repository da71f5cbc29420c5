"""Real workers: Celery, a real Redis, real processes."""
