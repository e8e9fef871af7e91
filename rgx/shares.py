"""The rows of a training's batch, shared among processes with a GPU each; alone, nothing of this happens.

Every process runs the same stage from the same random state and has each batch whole; what `share_rows` is
laid around, it computes for its own share of the rows and gets for the others', gradients included. So each
of them has the same loss, the one that a single process would have.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ParamSpec, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from rgx.errors import PeerError

P = ParamSpec("P")
R = TypeVar("R")


def processes() -> int:
    """Return how many processes share the training, 1 where it is alone."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def own_number() -> int:
    """Return this process's number among them, from 0."""
    return dist.get_rank() if processes() > 1 else 0


def together(exchange: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
    """Return what an exchange among the processes gives; raises PeerError where one is gone."""
    try:
        return exchange(*arguments, **named)
    except RuntimeError as error:
        raise PeerError(f"another process of the training no longer answers: {error}") from error


def share_rows(function: Callable[P, R]) -> Callable[P, R]:
    """Return a function of which each process of a training computes its share of the rows.

    Every tensor that it takes or gives, alone or in tuples, mappings and dataclasses, has the rows of the
    batch first, and no row of a result depends on another row; raises ValueError where their counts differ.
    """
    return _shared(function, Step.share_rows)


def share_mean(function: Callable[P, R]) -> Callable[P, R]:
    """Return a function of which each process takes the mean over its share of the rows, then all their mean.

    What it takes is as for `share_rows`; it gives numbers, each a mean over rows that count alike.
    """
    return _shared(function, Step.share_mean)


def _shared(function: Callable[P, R], share: Callable[..., R]) -> Callable[P, R]:
    @functools.wraps(function, updated=())
    def shared(*arguments: P.args, **named: P.kwargs) -> R:
        step = _steps[-1] if _steps else None
        if step is None or step.inside:
            return function(*arguments, **named)
        return share(step, function, (arguments, named))

    return shared


@contextlib.contextmanager
def step_shared(number: int) -> Iterator[Step | None]:
    """Have what `share_rows` is laid around be shared inside: a step of a training, counted from 0."""
    if processes() == 1:
        yield None
        return
    _steps.append(Step(number))
    try:
        yield _steps[-1]
    finally:
        _steps.pop()


class Step:
    """A step that processes take together.

    calls: how often work was shared in it so far; inside: whether this process is at its own share.
    """

    def __init__(self, number: int) -> None:
        self.count, self.own, self.calls, self.inside = processes(), own_number(), 0, False
        common = hashlib.blake2b(torch.get_rng_state().numpy().tobytes(), digest_size=7).digest()
        # From the common state, so that a training that goes on draws the same, and another for each process.
        self.draws = torch.Generator().manual_seed(int.from_bytes(common, "big") + 7919 * number + self.own)

    def share_rows(self, function: Callable[..., Any], given: Any) -> Any:
        """Return the results of all rows, of which this process has computed its own."""
        rows = _rows(given, "takes")
        each = -(-rows // self.count)

        def share(whole: Tensor) -> Tensor:
            part = whole[self.own * each : (self.own + 1) * each]
            absent = each - len(part)
            # Equal shares: the last row again, whose results nobody sees.
            return torch.cat([part, whole[-1:].expand(absent, *whole.shape[1:])]) if absent else part

        results = self._compute(function, _change(given, share))
        if (count := _rows(results, "gives")) != each:
            raise ValueError(f"share_rows: {count} rows came of {each}; what is not by rows stays outside it")
        return _change(results, lambda part: _Gathered.apply(part)[:rows])

    def share_mean(self, function: Callable[..., Any], given: Any) -> Any:
        """Return the means over all rows, of which this process has computed that over its own."""
        rows = _rows(given, "takes")
        each = -(-rows // self.count)
        start = min(self.own * each, rows)
        count = min(each, rows - start)
        # Without a row of its own it computes one all the same, which then counts nothing.
        first = min(start, rows - 1)
        results = self._compute(function, _change(given, lambda whole: whole[first : first + max(1, count)]))

        def mean(own: Tensor) -> Tensor:
            if own.dim():
                raise ValueError(f"share_mean: the function gives a tensor of {tuple(own.shape)}, not a mean")
            return _Summed.apply(own * (count / rows))

        return _change(results, mean)

    def _compute(self, function: Callable[..., Any], given: Any) -> Any:
        """Call a function; what it draws comes from this process's own stream, and the common one waits."""
        self.calls += 1
        arguments, named = given
        seed = int(torch.randint(2**62, (), generator=self.draws))
        devices = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
        self.inside = True
        try:
            with torch.random.fork_rng(devices):
                torch.manual_seed(seed)
                return function(*arguments, **named)
        finally:
            self.inside = False


_steps: list[Step] = []
"""The step that is being taken, where processes take it together."""


class _Gathered(torch.autograd.Function):
    """The rows of all processes, in order, of each one's own."""

    @staticmethod
    def forward(context: Any, part: Tensor) -> Tensor:
        whole = part.new_empty(processes() * len(part), *part.shape[1:])
        together(dist.all_gather, list(whole.split(len(part))), part.contiguous())
        return whole

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return _Summed.apply(gradient).chunk(processes())[own_number()]


class _Summed(torch.autograd.Function):
    """The sum over all processes; it is what gathering is backwards, and itself backwards too."""

    @staticmethod
    def forward(context: Any, part: Tensor) -> Tensor:
        total = part.clone(memory_format=torch.contiguous_format)
        together(dist.all_reduce, total)
        return total

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return _Summed.apply(gradient)


def _rows(value: Any, verb: str) -> int:
    """Return how many rows the tensors of a value have; raises ValueError where that is not one number."""
    shapes: list[tuple[int, ...]] = []
    _change(value, lambda tensor: shapes.append(tuple(tensor.shape)))
    rows = {shape[:1] for shape in shapes}
    if len(rows) != 1 or rows == {()}:
        seen = ", ".join(map(str, shapes)) or "no shape"
        raise ValueError(
            f"to be shared, a function {verb} tensors of {seen}: expected the batch's rows first in each"
        )
    return rows.pop()[0]


def _change(value: Any, change: Callable[[Tensor], Any]) -> Any:
    """Return a value with each tensor in it changed."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, Mapping):
        return {name: _change(item, change) for name, item in value.items()}
    if isinstance(value, (tuple, list)):
        items = [_change(item, change) for item in value]
        return value._make(items) if hasattr(value, "_make") else type(value)(items)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [field.name for field in dataclasses.fields(value)]
        return dataclasses.replace(value, **{f: _change(getattr(value, f), change) for f in fields})
    return value
