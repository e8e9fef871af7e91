"""The inline engine of a search: one trial after another in this process."""

from __future__ import annotations

import torch

from rgx.run.failures import reason_of
from rgx.run.search_rungs import climb, message
from rgx.run.search_schedulers import Judged, make_scheduler
from rgx.run.search_trials import Planned, Trials


def execute(trials: Trials) -> None:
    """Run every trial here; a failed one is noted and the next begins."""
    scheduler = make_scheduler(trials.plan.search, trials.record.trials)
    while (planned := trials.next()) is not None:
        try:
            _run(planned, trials, Judged(scheduler, str(planned.number)))
        except Exception as error:
            trials.ended(planned.number, reason=reason_of(error))
        else:
            trials.ended(planned.number, len(planned.rungs))


def _run(planned: Planned, trials: Trials, judged: Judged) -> None:
    told = message(trials.plan, planned.rungs, torch.cuda.is_available())
    for index, found in enumerate(climb(told, trials.store)):
        trials.scored(planned, found)
        if not judged.goes_on(found):
            return
        trials.begins(planned, index + 1)
