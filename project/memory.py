"""How a process of ours looks for rubbish: not in what it stands on, and not every seven hundred objects.

Python counts new objects and then looks through old ones for circles nobody holds any more. A process that has loaded
the house has half a million that stay, and a plan or a long list makes a hundred thousand that live to its end; looking
through all of them again and again was up to a third of the time of a plan. What nobody holds goes at once, as ever.
"""

from __future__ import annotations

import gc

#: New objects after which the young ones are looked through; such looks before the middle ones are, and the old ones.
YOUNG, MIDDLE, OLD = 50_000, 20, 20


def settle() -> None:
    """Call when the process has loaded what it needs."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
