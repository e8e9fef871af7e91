"""The trials of a search in the driver: the next one, what each scored, how each ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rgx.errors import InputError
from rgx.store.records import Climbed, Score, SearchRecord, State, Trial
from rgx.sweep.run_record import RunRecord
from rgx.sweep.search.plan import Rung, SearchPlan
from rgx.sweep.search.record import write_record
from rgx.sweep.search.searchers import SEARCHERS, History


@dataclass(frozen=True)
class Planned:
    """A trial that can be run."""

    number: int
    rungs: list[Rung]


@dataclass
class Trials:
    """A search under way; every change is in the store before it is told.

    run: its record, of all rows and searches of the sweep, names the trials' artifacts.
    """

    plan: SearchPlan
    run: RunRecord
    record: SearchRecord
    say: Callable[[str], None]
    waiting: list[int] = field(init=False)

    def __post_init__(self) -> None:
        search, trials = self.plan.search, self.record.trials
        unended = [n for n, trial in enumerate(trials) if trial.state == "open"]
        self.waiting = [*unended, *range(len(trials), search.trials)]
        history = History(
            [(trial.point, trial.cost) for trial in trials if trial.state != "open"],
            [trials[n].point for n in unended],
        )
        self.searcher = SEARCHERS[search.searcher](search.space, search.seed, history)

    def next(self) -> Planned | None:
        """Return the next trial that can be built, or None where all were handed out."""
        while self.waiting:
            number = self.waiting.pop(0)
            point = self.searcher.suggest(number)
            values = self.plan.search.space.values(point)
            trial = Trial(point=point, values=values)
            self.record.trials[number:] = [trial, *self.record.trials[number + 1 :]]
            try:
                rungs = self.plan.rungs(values)
            except InputError as error:
                self.ended(number, reason=str(error))
                continue
            self._begin(trial, rungs[0])
            self.say(f"{self._title(number)} start  {rungs[0].name}")
            return Planned(number, rungs)
        return None

    def scored(self, number: int, rung: int, score: Score) -> None:
        """Note the score of a rung, told for the first time or again."""
        climbed = self.record.trials[number].rungs[rung]
        if climbed.score is not None:
            return
        climbed.score = score
        self._save()
        self.say(f"{self._title(number)} {score.value:<.6g}  {climbed.row}")

    def begins(self, planned: Planned, rung: int) -> None:
        """Note that a trial goes on to a rung, where there is one."""
        trial = self.record.trials[planned.number]
        if len(trial.rungs) == rung < len(planned.rungs):
            self._begin(trial, planned.rungs[rung])

    def climbed(self, number: int) -> int:
        """Return how many rungs of a trial have a score."""
        return sum(rung.score is not None for rung in self.record.trials[number].rungs)

    def ended(self, number: int, rungs: int = 0, reason: str = "") -> None:
        """Note how a trial ended: failed for a reason, or with all its rungs climbed, or stopped."""
        trial, climbed = self.record.trials[number], self.climbed(number)
        unfailed: State = "finished" if climbed == rungs else "stopped"
        trial.state = "failed" if reason else unfailed
        trial.reason = reason
        if not reason:
            trial.rungs = trial.rungs[:climbed]
        self._save()
        self.searcher.learn(number, trial.cost)
        if trial.state != "finished":
            self.say(f"{self._title(number)} {trial.state} {reason}".rstrip())

    def left_open(self, number: int, why: str) -> None:
        """Note that a trial broke off for no reason of its own: the next run takes it up again."""
        self.record.trials[number].reason = why
        self._save()
        self.searcher.learn(number, None)
        self.say(f"{self._title(number)} {why}")

    def _begin(self, trial: Trial, rung: Rung) -> None:
        trial.rungs.append(Climbed(row=rung.name, cells=list(rung.cells), left_out=rung.left_out))
        self._save()

    def _save(self) -> None:
        write_record(self.run.store, self.run.plan.name, self.plan, self.record)
        self.run.write()

    def _title(self, number: int) -> str:
        return f"{self.plan.search.name} {number + 1}/{self.plan.search.trials}"
