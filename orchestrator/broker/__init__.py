"""Redis and the sending side of Celery: the only package that knows them."""
