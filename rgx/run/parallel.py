"""One function over many items: here, or as Ray tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Outcome(NamedTuple, Generic[T]):
    """What became of an item: a result, or the error that its task raised."""

    item: T
    result: Any = None
    error: Exception | None = None


def map_tasks(function: Callable[[T], Any], items: Iterable[T], cpus: int = 1) -> Iterator[Outcome[T]]:
    """Yield the outcome of each item as it ends, at most `cpus` at a time; with one, in this process.

    An error ends its item alone. Function and items reach Ray's workers pickled; a worker that dies is an
    error of its item. Items are taken when there is room for them.
    """
    engine = _in_ray if cpus > 1 else _here
    return engine(function, iter(items), cpus)


def _here(function: Callable[[T], Any], items: Iterator[T], cpus: int) -> Iterator[Outcome[T]]:
    for item in items:
        try:
            yield Outcome(item, function(item))
        except Exception as error:
            yield Outcome(item, error=error)


def _in_ray(function: Callable[[T], Any], items: Iterator[T], cpus: int) -> Iterator[Outcome[T]]:
    from rgx.run.ray_start import HERE, start_ray

    start_ray(HERE)
    # Here, so that work in this process does not wait for Ray to be imported.
    import ray

    task = ray.remote(function).options(num_cpus=1, max_retries=0)
    running: dict[Any, T] = {}
    try:
        while True:
            while len(running) < cpus and (item := next(items, _END)) is not _END:
                running[task.remote(item)] = item
            if not running:
                return
            (ready,), _ = ray.wait(list(running), num_returns=1)
            item = running.pop(ready)
            try:
                yield Outcome(item, ray.get(ready))
            except ray.exceptions.RayTaskError as error:
                yield Outcome(item, error=error.cause if isinstance(error.cause, Exception) else error)
            except ray.exceptions.RayError as error:
                yield Outcome(item, error=error)
    finally:
        for handle in running:
            ray.cancel(handle, force=True)


_END: Any = object()
