"""The connections to providers that a run's models open: closed when the run ends.

Agno gives every model a client of its own and never closes it; with a team for each run, each would leave its sockets
open. A client that was there before the run was configured by the team's owner, and stays.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from agno.models.base import Model
from agno.team import Team

from lib.models import close_model
from lib.teams.recording import MODEL_SLOTS, walk

logger = logging.getLogger(__name__)

CLOSE_S = 2.0


def find_unconnected(team: Team) -> list[Model]:
    """Return the models of a team, its members' too, that have no client yet: theirs will be the run's own."""
    found: dict[int, Model] = {}
    for component in walk(team):
        for slot in MODEL_SLOTS:
            model = getattr(component, slot, None)
            if isinstance(model, Model) and not _is_connected(model):
                found[id(model)] = model
    return list(found.values())


async def close_connections(models: Sequence[Model]) -> None:
    """Close what the models opened. Runs in the loop in which they worked; a failure to close harms nobody's answer."""
    for model in models:
        try:
            await asyncio.wait_for(close_model(model), CLOSE_S)
        except Exception as error:  # noqa: BLE001 - a provider's client may raise anything while it closes
            logger.warning("The connections of a %s model did not close: %s", model.provider, type(error).__name__)


def _is_connected(model: Model) -> bool:
    return any(getattr(model, name, None) is not None for name in ("client", "async_client"))
