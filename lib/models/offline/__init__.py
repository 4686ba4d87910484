"""The offline model: a model of fixed rules that needs no key, no network and no understanding of language.

    words       how a text is taken apart           entities    the cities, companies and tickers it names
    directions  stage directions in brackets        facts       what messages state and questions ask for
    context     what one request holds              topics      which words send a question where
    delegation  members and their tasks             tool_calls  tools and their arguments
    pictures    attached images                     chores      titles, summaries, memories
    rules       from the context to one reply       model       the rules as a model that Agno can run

It decides from the messages and tools it is given and nothing else, so what it recalls was in its context.
"""

from lib.models.offline.facts import DONT_KNOW
from lib.models.offline.model import OfflineModel, RequestRecorder
from lib.models.offline.rules import WHAT_I_AM

__all__ = ["DONT_KNOW", "WHAT_I_AM", "OfflineModel", "RequestRecorder"]
