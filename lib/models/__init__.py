"""Models: the model that a setting names, and the offline model.

providers   "offline" or Agno's provider:model-id -> a model, or what is missing and how to mend it
limits      how much a model takes in, where that is known
offline     the deterministic model that needs no key
"""

from lib.models.limits import find_input_limit
from lib.models.offline import DONT_KNOW, WHAT_I_AM, OfflineModel, RequestRecorder
from lib.models.providers import build_model, check_model, close_model, describe_model

__all__ = [
    "DONT_KNOW",
    "WHAT_I_AM",
    "OfflineModel",
    "RequestRecorder",
    "build_model",
    "check_model",
    "close_model",
    "describe_model",
    "find_input_limit",
]
