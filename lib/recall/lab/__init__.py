"""The recall lab: experiments and demonstrations on real sessions, run through the run engine.

sweep.py           RecallLab: starts, stops, resumes, lists, compares and deletes experiments
measuring.py       one measurement: predict, ask, look at what the model was given
demonstration.py   plant, let pass, ask, step by step, with the window drawn over the runs
rescues.py         what brings a forgotten fact back, and injected history beside kept history
"""

from __future__ import annotations

from lib.recall.lab.measuring import Measurement
from lib.recall.lab.running import ExperimentState, Progress, RunningExperiment
from lib.recall.lab.sweep import Experiment, RecallLab

__all__ = ["Experiment", "ExperimentState", "Measurement", "Progress", "RecallLab", "RunningExperiment"]
