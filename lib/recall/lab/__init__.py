"""The recall lab: experiments and demonstrations on real sessions, run through the run engine.

sweep.py           RecallLab: starts, stops, resumes, lists, compares and deletes experiments
running.py         an experiment that is being measured in the background
measuring.py       one measurement, of the leader or a member: predict, ask, look at what the model was given
varying.py         the same app with teams that are changed for the lab
demonstration.py   plant, let pass, ask, step by step, with the window drawn over the runs
cases.py           the awkward cases, each shown on a session of its own
member_only.py     a fact that only a member heard: who still knows it?
rescues.py         what brings a forgotten fact back, and injected history beside kept history
"""

from __future__ import annotations

from lib.recall.lab.measuring import Measurement
from lib.recall.lab.running import ExperimentState, Progress, RunningExperiment
from lib.recall.lab.sweep import Experiment, RecallLab

__all__ = ["Experiment", "ExperimentState", "Measurement", "Progress", "RecallLab", "RunningExperiment"]
