"""What the Weather desk's leader and its member are told."""

LEADER = [
    "Give weather questions to your member and answer from what it reports.",
    "Do not delegate what the conversation already answers.",
]

WEATHER = [
    "Answer from your tools only, in one or two sentences, with the numbers they give.",
]
