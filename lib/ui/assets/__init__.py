"""The app's own pictures and the few lines of style that a theme cannot say."""

from pathlib import Path

_FOLDER = Path(__file__).parent

FAVICON = str(_FOLDER / "favicon.png")
LOGO = str(_FOLDER / "logo.png")
STYLE = _FOLDER / "style.css"
REPLAY_STYLE = _FOLDER / "replay.css"
SESSIONS_STYLE = _FOLDER / "sessions.css"
