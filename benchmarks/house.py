"""Start-up, planning and re-run figures: `python benchmarks/house.py [--store DIR]` on a finished sweep.

Each command runs three times as a whole process; the median is printed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time

SWEEP = "sweeps/ablation_table3.yaml"


def seconds(*arguments: str) -> float:
    """Return the median wall time of an rgx command."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "rgx", *arguments], check=True, capture_output=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", default="store")
    store = ["--store", parser.parse_args().store]
    plan = json.loads(
        subprocess.run(
            [sys.executable, "-m", "rgx", "plan", SWEEP, "--json", *store],
            check=True, capture_output=True, text=True,
        ).stdout
    )  # fmt: skip
    missing = sum(not s["in_store"] for s in plan["stages"])
    print(f"trainings: {plan['trainings']} where row by row does {plan['per_row_trainings']}")
    print(f"rgx --help: {seconds('--help'):.2f} s")
    count = len(plan["stages"])
    print(f"rgx plan: {seconds('plan', SWEEP, *store):.2f} s ({count} stages, {missing} missing)")
    if not missing:
        print(f"finished sweep again: {seconds('sweep', SWEEP, *store):.2f} s")
        print(f"rgx report: {seconds('report', SWEEP, *store):.2f} s")


if __name__ == "__main__":
    main()
