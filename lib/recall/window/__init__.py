"""Which runs and messages of a session enter the next prompt, and the reason for each that does not.

Agno's rule (`TeamSession.get_messages`, `team/_messages.py:_get_run_messages`, `utils/message.py:filter_tool_calls`;
a session with one agent follows the same steps in `session/agent.py` and `agent/_messages.py`), step by step:

1. Only top-level runs count: those without a parent run. A member that was asked directly in the same session counts
   too (agno-facts 4.4). A nested team, and an agent object that was once a member, sees only runs of its own id.
2. Runs stored as PAUSED, CANCELLED, ERROR or REGENERATED are left out. RUNNING and PENDING are not: they take a place
   in the window, with the messages they have so far, often none (agno-facts 2.8, 5.6).
3. The newest `num_history_runs` of these form the window; 0 or less means no history at all.
4. Stored copies of earlier messages and system messages are left out. (Where the system message has an unusual role,
   only messages of that role are; the first `system` message then stays.)
5. `num_history_messages` keeps the newest messages, and drops tool results that then stand first without their request.
   Such a first `system` message takes one of the places.
6. `max_tool_calls_from_history` keeps the newest tool results, with only those requests that they answer; an assistant
   message that loses all its requests stays only if it says something.

Runs must be given in stored order, oldest first: run_index, then creation, then id, as the session store reads them.

    places.py    which runs: steps 1 to 3
    messages.py  which of their messages: steps 4 to 6
    evidence.py  the other way round: which settings could have given a history
"""

from __future__ import annotations

from lib.recall.window.messages import (
    AbsentMessage,
    Given,
    PredictedContext,
    as_stored,
    cut_messages,
    gather_messages,
    next_context,
)
from lib.recall.window.places import (
    DEFAULT_HISTORY_RUNS,
    BareRun,
    HistoryRules,
    RunHead,
    RunPlace,
    keep_newest,
    place_runs,
    reason_to_skip,
)

__all__ = [
    "DEFAULT_HISTORY_RUNS",
    "AbsentMessage",
    "BareRun",
    "Given",
    "HistoryRules",
    "PredictedContext",
    "RunHead",
    "RunPlace",
    "as_stored",
    "cut_messages",
    "gather_messages",
    "keep_newest",
    "next_context",
    "place_runs",
    "reason_to_skip",
]
