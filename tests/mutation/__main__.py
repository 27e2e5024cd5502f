"""`make mutate`: changes the converters in thousands of small ways; a test has to notice each.

Ends with 1 where a change survives for which docs/design/0014-mutation.md gives no reason.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from time import monotonic

from tests.mutation.reasons import read_reasons
from tests.mutation.stage import set_up
from tests.mutation.survivors import Survivor, results, summary, survivors

ROOT = Path(__file__).resolve().parents[2]
NOTE = ROOT / "docs" / "design" / "0014-mutation.md"
STAGE = ROOT / ".local" / "mutation"
MUTMUT = Path(sys.executable).with_name("mutmut")
MOST_SECONDS = 45 * 60


def main() -> int:
    started = monotonic()
    set_up(ROOT, STAGE)
    print("This takes six to twelve minutes on two processors.", flush=True)
    _mutate()
    outcomes = results(STAGE, MUTMUT)
    print(f"{(monotonic() - started) / 60:.0f} minutes: {summary(outcomes)}")
    return _judge(list(survivors(STAGE, outcomes)))


def _mutate() -> None:
    log = STAGE / "run.log"
    with log.open("w", encoding="utf-8") as out:
        ran = subprocess.run(
            [MUTMUT, "run"], cwd=STAGE, stdout=out, stderr=out, check=False, timeout=MOST_SECONDS
        )
    if ran.returncode:
        sys.exit(f"mutmut could not run; the end of {log} tells why.")


def _judge(found: list[Survivor]) -> int:
    reasons = list(read_reasons(NOTE.read_text(encoding="utf-8")))
    unexplained = [mutant for mutant in found if not any(why.fits(mutant) for why in reasons)]
    idle = [why for why in reasons if not any(why.fits(mutant) for mutant in found)]
    print(f"\n{len(found) - len(unexplained)} survive with a reason.")
    for why in idle:
        print(f"Nothing survives any more in {why.function} with: {why.fragment}")
    print(f"\n{len(unexplained)} SURVIVE WITHOUT A REASON.")
    for mutant in unexplained:
        print(mutant)
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
