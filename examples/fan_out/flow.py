"""A list of texts, counted each by a task run of its own, and what comes of all of them."""

from dagy import flow, task


@task
def count_words(text):
    return {"text": text, "words": len(text.split())}


@task
def total(counts):
    return sum(each["words"] for each in counts)


@task
def longest(counts):
    return max(counts, key=lambda each: each["words"])["text"] if counts else None


@task
def report(results):
    words, text = results
    return f"{words} words; the most are in {text!r}"


@flow
def fan_out(texts: list = ["one", "one two three", "one two"]):
    """Counts words: one task run for each text, then two tasks over all counts, then their join."""
    counts = [count_words(text) for text in texts]  # a mapped task
    return report([total(counts), longest(counts)])  # a fan-in of two tasks
