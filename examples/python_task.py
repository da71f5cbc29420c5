"""Tasks and workflows as Python functions.

orchestrator run examples/python_task.py -p limit=50
"""

from orchestrator import shell, task, workflow


@task
def primes(limit: int) -> dict[str, object]:
    """Find the primes below `limit`; the items of the returned mapping are the task's outputs."""
    found = [n for n in range(2, limit) if all(n % divisor for divisor in range(2, int(n**0.5) + 1))]
    return {"found": found, "count": len(found)}


@task(retries=2, retry_delay=1)
def largest(numbers: list[int]) -> int:
    """Return the largest; what is no mapping becomes the output `result`."""
    return max(numbers)


@workflow
def python_task(limit: int = 100) -> None:
    """Build the graph: calls are tasks, values handed on are edges."""
    small = primes(limit)
    top = largest(small["found"])
    shell("say", 'echo "$count primes, the largest is $top"', params={"count": small["count"], "top": top})
