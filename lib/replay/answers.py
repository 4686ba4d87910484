"""Which request to the model brought which stored answer, where not every answer is stored.

A model that fails and is stood in for by another leaves a request without an answer; a program that keeps no tool
messages leaves answers without a message. Else each request has its answer, in order.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from math import inf

from lib.records import MessageRecord, Tokens
from lib.replay.model_calls import ModelCall


def match_answers(
    calls: Sequence[ModelCall], answers: Sequence[MessageRecord], began: Mapping[str, Sequence[int]]
) -> list[ModelCall | None]:
    """Return the model call behind each answer, in order: the first ones, unless tokens, tools and ends tell others.

    `began` holds, for the id of each tool call of the run, where such calls began among the events.
    """
    spare = len(calls) - len(answers)
    if spare <= 0:
        return [*calls[: len(answers)], *[None] * -spare]
    ends = [*(call.place for call in calls[1:]), inf]
    # The best score of the answers so far, for each number of calls left out before the last of them; `steps` keeps for
    # each answer, and each such number, how many were left out before the answer before it.
    scores = [0.0] * (spare + 1)
    steps: list[list[int]] = []
    made = sorted(place for places in began.values() for place in places)
    for number, answer in enumerate(answers):
        before, row, step = 0, [], []
        for skipped in range(spare + 1):
            before = skipped if scores[skipped] > scores[before] else before
            place = number + skipped
            row.append(scores[before] + _fit(calls[place], ends[place], answer, began, made))
            step.append(before)
        scores = row
        steps.append(step)
    skipped = scores.index(max(scores))
    matched: list[ModelCall | None] = []
    for number in reversed(range(len(answers))):
        matched.append(calls[number + skipped])
        skipped = steps[number][skipped]
    return matched[::-1]


def _fit(
    call: ModelCall, until: float, answer: MessageRecord, began: Mapping[str, Sequence[int]], made: Sequence[int]
) -> float:
    """Return how well an answer fits a model call that the next one follows at `until`."""
    score = 0.0 if call.ended_at is None else 1.0
    if call.tokens != Tokens() and answer.tokens != Tokens():
        score += 2.0 if call.tokens == answer.tokens else -2.0
    if not answer.tool_requests:
        next_made = bisect_left(made, call.place)
        called = next_made < len(made) and made[next_made] < until
        return score - 2.0 if called else score
    places = [began[request.tool_call_id] for request in answer.tool_requests if began.get(request.tool_call_id)]
    return score + sum(2.0 if any(call.place <= place < until for place in each) else -2.0 for each in places)
