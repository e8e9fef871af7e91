"""The searches of a sweep while it runs: their trials' stages join the graph, their scores are read."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType

from rgx.errors import InputError, NotFiniteError
from rgx.run.graph import Graph
from rgx.run.search_schedulers import Decider, make_scheduler
from rgx.run.search_scores import score_of
from rgx.run.search_trials import Planned, Trials
from rgx.store.lease import Lease, LeaseHeldError
from rgx.store.records import SearchRecord
from rgx.sweep.run_record import RunRecord
from rgx.sweep.search.plan import Rung, SearchPlan
from rgx.sweep.search.record import read_record, search_folder
from rgx.sweep.search.table import outcome

AGAIN = "the same command tries it again"
Say = Callable[[str], None]


@dataclass
class Live:
    """A trial under way, on a rung counted from 0."""

    planned: Planned
    decider: Decider
    rung: int = 0

    @property
    def on(self) -> Rung:
        """The rung it is on."""
        return self.planned.rungs[self.rung]


class Climb:
    """One search under way: as many trials at a time as the machines hold, for one begun early knows less."""

    def __init__(self, graph: Graph, trials: Trials) -> None:
        self.graph, self.trials, self.search = graph, trials, trials.plan.search
        self.scheduler = make_scheduler(self.search, trials.record.trials)
        self.live: list[Live] = []

    def follow(self) -> None:
        """Take note of what ended since the last time, and have each trial go on that may."""
        for live in list(self.live):
            if not self._goes_on(live):
                self.live.remove(live)

    def begin(self) -> bool:
        """Begin the next trial, where there is one."""
        planned = self.trials.next()
        if planned is None:
            return False
        live = Live(planned, self.scheduler.decider(str(planned.number)))
        self.graph.add(live.on.tasks.values())
        self.live.append(live)
        return True

    def _goes_on(self, live: Live) -> bool:
        """Return whether a trial is still under way, having told of every rung that it has climbed."""
        number, trials = live.planned.number, self.trials
        while all(key in self.graph.done for key in live.on.ends(self.search.stage)):
            time = self.search.times[live.rung]
            try:
                score = score_of(self.search, live.on, self.graph.store)
            except (InputError, NotFiniteError) as error:
                trials.ended(number, reason=str(error))
                return False
            trials.scored(number, live.rung, score)
            if not live.decider.goes_on(time, score) or live.rung + 1 == len(live.planned.rungs):
                trials.ended(number, len(live.planned.rungs))
                return False
            live.rung += 1
            trials.begins(live.planned, live.rung)
            self.graph.add(live.on.tasks.values())
        for key in live.on.tasks:
            if key in self.graph.given_up:
                trials.left_open(number, f"{self.graph.failed[key]}; {AGAIN}")
                return False
            if key in self.graph.failed:
                trials.ended(number, reason=self.graph.failed[key])
                return False
        return True


class Searches:
    """Every search of a plan; use as a context around the engine, which calls `grow` through the graph.

    run: its record, of the whole sweep, names the trials' artifacts; say: prints a line. Raises
    InputError for a search that another process works on.
    """

    def __init__(self, graph: Graph, run: RunRecord, say: Say) -> None:
        self.graph, self.run, self.name = graph, run, run.plan.name
        # What a record from elsewhere holds must not steer the terminal.
        self.say: Say = lambda line: say(_plain(line))
        self.waiting = [plan for plan in graph.plan.searches if not is_over(plan, self._record(plan))]
        self.climbs: list[Climb] = []
        self.held = ExitStack()

    @property
    def over(self) -> bool:
        """Whether no trial is left to run."""
        return not self.waiting and not self.climbs

    def __enter__(self) -> Searches:
        with ExitStack() as leases:
            for plan in self.waiting:
                try:
                    leases.enter_context(Lease(search_folder(self.graph.store, self.name, plan)))
                except LeaseHeldError as error:
                    raise InputError(f"search {plan.search.name}: {error}") from None
            self.held = leases.pop_all()
        self.graph.grow = self.grow
        self.graph.expected = [task for plan in self.waiting for task in plan.own]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.held.close()
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            for climb in self.climbs:
                ended, count = _ended(climb.trials.record), climb.search.trials
                self.say(f"{climb.search.name}: stopped; {ended} of {count} trials have ended")

    def grow(self) -> None:
        """Read the scores that have come, and add the stages of the trials that go on or begin."""
        for climb in self.climbs:
            climb.follow()
        for plan in list(self.waiting):
            if all(key in self.graph.done for key in plan.shared):
                self.waiting.remove(plan)
                self.climbs.append(self._begin(plan))
        for climb in self.climbs:
            # A trial whose stages are all there already has ended by the next look.
            while self._live() < self._places(climb) and climb.begin():
                climb.follow()

    def outcome(self) -> bool:
        """Show the trials of each search and return whether each ended with a score."""
        well = True
        for plan in self.graph.plan.searches:
            lacking = [self.graph.tasks[key].title for key in plan.shared if key not in self.graph.done]
            record = self._record(plan)
            if lacking and not is_over(plan, record):
                self.say(f"{plan.search.name}: not begun, for its trials need {', '.join(lacking)}")
                well = False
                continue
            for line in outcome(plan, record):
                self.say(line)
            ended_well = is_over(plan, record) and any(trial.state == "finished" for trial in record.trials)
            well = well and ended_well
        return well

    def _begin(self, plan: SearchPlan) -> Climb:
        record = self._record(plan)
        self.say(f"{plan.search.name}: {_ended(record)} of {plan.search.trials} trials have ended")
        return Climb(self.graph, Trials(plan, self.run, record, self.say))

    def _live(self) -> int:
        return sum(len(climb.live) for climb in self.climbs)

    def _places(self, climb: Climb) -> int:
        """Return how many trials the machines hold at a time, one at least."""
        have = self.graph.have
        needs = climb.trials.plan.needs(have.get("GPU", 0) > 0)
        return max(1, min((int(have.get(name, 0) // n) for name, n in needs.items() if n), default=1))

    def _record(self, plan: SearchPlan) -> SearchRecord:
        return read_record(self.graph.store, self.name, plan)


def is_over(plan: SearchPlan, record: SearchRecord) -> bool:
    """Return whether no trial of a search is left to run."""
    return len(record.trials) >= plan.search.trials and all(t.state != "open" for t in record.trials)


def _plain(line: str) -> str:
    return "".join(letter if letter.isprintable() or letter == "\n" else "�" for letter in line)


def _ended(record: SearchRecord) -> int:
    return sum(trial.state != "open" for trial in record.trials)
