"""What may go wrong, and does: attempts that are repeated, elements that may fail, an end in any
case, and hooks."""

from dagy import context, flow, shell, task


@task(retries=3, retry_delay_seconds=[0.05, 0.1], retry_on=[ConnectionError])
def fetch(source):
    if context.attempt < 3:
        raise ConnectionError(f"{source} does not answer attempt {context.attempt}")
    return {"source": source, "attempt": context.attempt}


@task(max_failures=1, max_parallel=2)
def divide(number):
    return 60 // number


@task
def keep(fetched, quotients, broken):
    if broken:
        raise RuntimeError("there is no place to keep it")
    return {"from": fetched["source"], "kept": [each for each in quotients if each is not None]}


@task(trigger_rule="all_done")
def clean_up(kept):
    return "nothing to clean up" if kept else "half of it was removed"


@task
def celebrate():
    print("all is kept")


@flow(fail_fast=False, on_success=[celebrate],
      on_failure=[lambda: shell("echo told somebody", id="tell_somebody")])
def resilient(numbers: list = [1, 2, 0, 3], broken: bool = False):
    """Retries, bearable failures, a task that runs whatever happened, and hooks."""
    kept = keep(fetch("the archive"), [divide(number) for number in numbers], broken)
    return [kept, clean_up(kept)]
