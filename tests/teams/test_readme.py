"""What the README says about adding a team is done here, word by word."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from lib.records import RunStatus
from lib.roundtable import open_roundtable
from tests.services.app_server import to_environment

HOME = Path(__file__).resolve().parents[2]
SECTION = re.search(r"^## How to add a team\n(.*?)^## ", (HOME / "README.md").read_text("utf-8"), re.S | re.M)


def code_of(language):
    assert SECTION is not None
    (code,) = re.findall(rf"^```{language}\n(.*?)^```", SECTION[1], re.S | re.M)
    return str(code)


def test_the_team_of_the_readme_is_loaded_by_the_setting_of_the_readme_and_answers(own_module, settings):
    own_module(code_of("python"), name="my_desk")
    (setting,) = re.findall(r"CHAT_TEAMS=(\S+)", code_of("sh"))
    roundtable = open_roundtable(settings.model_copy(update={"chat_teams": (setting,)}))
    try:
        assert roundtable.catalogue.problems == ()
        entry = roundtable.catalogue.entries[-1]
        assert (entry.title, [member.name for member in entry.members]) == ("My desk", ["Clerk"])
        run = roundtable.engine.start("Remember: I like tea", user_id="ann", team=entry.name).wait(60)
        assert run.status is RunStatus.COMPLETED
    finally:
        roundtable.close()


def test_a_copied_folder_with_its_name_in_one_list_is_a_team(tmp_path, settings):
    assert SECTION is not None
    assert "copy the folder `lib/teams/weather_desk` to `lib/teams/storm_desk`" in SECTION[1]
    shutil.copytree(HOME / "lib", tmp_path / "lib", ignore=shutil.ignore_patterns("__pycache__"))
    teams = tmp_path / "lib" / "teams"
    shutil.copytree(teams / "weather_desk", teams / "storm_desk")
    team, catalogue = teams / "storm_desk" / "team.py", teams / "catalogue.py"
    for old, new in (("lib.teams.weather_desk", "lib.teams.storm_desk"), ('id="weather-desk"', 'id="storm-desk"')):
        assert old in team.read_text("utf-8")
        team.write_text(team.read_text("utf-8").replace(old, new), "utf-8")
    listed = catalogue.read_text("utf-8").replace('"weather_desk")', '"weather_desk", "storm_desk")')
    catalogue.write_text(listed, "utf-8")
    look = (
        "from lib.settings import load_settings; from lib.teams.catalogue import load_catalogue; "
        "print([entry.name for entry in load_catalogue(load_settings()).entries])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", look],
        cwd=tmp_path,
        env={**os.environ, **to_environment(settings)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "storm-desk" in ended.stdout, ended.stderr
