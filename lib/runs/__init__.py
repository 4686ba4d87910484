"""The run engine: the only way a run starts.

engine     RunEngine: start, find, stop; one for a process
handle     RunHandle: what a page holds of a run
run_log    the events of one run and its picture, for any number of watchers
worker     one run's life in a thread of its own
recording  Agno's events stamped, linked and published; its rows made true before they are written
members    what members were given and showed, which Agno keeps to itself
reasons    why a run failed, in one sentence
cancellation  Agno's register of runs to cancel, safe for runs in threads of their own
titles     a session's title from the model, after its first answer
following  lists and search kept current, also with what other programs write
upkeep     heartbeats, stop requests of other processes, and writing what was kept on disk
"""

from lib.runs.engine import RunEngine
from lib.runs.handle import RunHandle

__all__ = ["RunEngine", "RunHandle"]
