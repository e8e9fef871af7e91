"""Whether verdicts are still those that a report file has on record beside its claims."""

from __future__ import annotations

from rgx.errors import InputError
from rgx.report.claims import claims_of
from rgx.report.definition import Report
from rgx.report.gather import Gathered
from rgx.yaml_source import Source


def off_record(gathered: Gathered) -> list[str]:
    """Return a line for each claim whose verdict is another than on record, with its place.

    A claim without a verdict on record has none to differ from. Raises InputError where there are no claims.
    """
    if not gathered.findings:
        raise InputError(f"--check: {gathered.report_file} makes no claims; a panel's `claims:` are")
    source = Source(gathered.report_file, Report.model_fields)
    places = {
        claim: source.where(["panels", name, "claims", sentence])
        for name, panel in gathered.report.panels.items()
        for claim, sentence in zip(claims_of(name, panel), panel.claims, strict=True)
    }
    lines = []
    for finding in gathered.findings:
        recorded = finding.claim.recorded
        if recorded not in (None, finding.verdict):
            why = f" ({finding.open})" if finding.open else ""
            place = places[finding.claim]
            lines.append(
                f"{place}: '{finding.sentence}' is on record as {recorded} and is {finding.verdict}{why}"
            )
    return lines
