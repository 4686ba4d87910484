"""Images of questions: stored before the model is asked, small in the rows, and their owner's only."""

from __future__ import annotations

import base64
import io
import json
import random

import pytest
from PIL import Image

from lib.errors import ImageNotFound, RunNotFound, SessionNotFound, StorageError
from lib.records import Attachment, Reader, RunStatus, SessionKind
from tests.conftest import build_settings
from tests.runs.scripted import ask, build_desk, build_engine, say


def picture(*, size: tuple[int, int] = (64, 48), noise: bool = False) -> bytes:
    made = io.BytesIO()
    image = (
        Image.frombytes("RGB", size, random.Random(7).randbytes(size[0] * size[1] * 3))
        if noise
        else Image.new("RGB", size, "blue")
    )
    image.save(made, "PNG")
    return made.getvalue()


BLUE = Attachment(picture(), "image/png", "blue.png")


def files(settings) -> list[str]:
    return sorted(file.name for file in settings.media_dir.glob("*") if not file.name.endswith(".meta.json"))


def test_an_image_of_two_megabytes_with_two_members_leaves_the_rows_small(open_engine, database, database_settings):
    content = picture(size=(900, 780), noise=True)
    assert len(content) > 2_000_000
    engine = open_engine(ask(("a", "look at it"), ("b", "look too")), a=say("Blue."), b=say("Noise."))
    run = engine.start(
        "What is this?", user_id="ada", team="desk", images=[Attachment(content, "image/png", "noise.png")]
    ).wait(30)
    assert run.status is RunStatus.COMPLETED
    stored = database.sessions.get_run(run.run_id, user_id="ada")
    assert stored.images == run.images
    (image,) = stored.images
    assert (image.name, image.mime_type, image.size_bytes) == ("noise.png", "image/png", len(content))
    assert database.sessions.get_image(run.run_id, image.image_id, user_id="ada") == content
    assert len(files(database_settings)) == 1
    for run_id in [run.run_id, *(member.run_id for member in stored.member_runs)]:
        row = database.sessions.get_run_row(run_id, user_id="ada")
        assert len(json.dumps(row["run_data"], default=str)) < 40_000
    assert len(stored.member_runs) == 2


def test_a_member_is_given_the_image_with_its_task(open_sqlite_engine):
    seen = []

    def looking(messages):
        seen.append([len(image.content or b"") for message in messages for image in message.images or ()])
        return ["Seen."]

    engine = open_sqlite_engine(ask(("a", "look at it")), a=looking)
    engine.start("What is this?", user_id="ada", team="desk", images=[BLUE]).wait(30)
    assert seen
    assert all(sizes == [len(BLUE.content)] for sizes in seen)


def test_the_image_is_there_before_the_model_is_asked_and_drawn_live(open_engine, database):
    engine = open_engine(say(2.0, "Done."))
    handle = engine.start("What is this?", user_id="ada", team="desk", images=[BLUE])
    (image,) = handle.snapshot().images
    assert image.name == "blue.png"
    staged = database.sessions.get_run(handle.run_id, user_id="ada")
    assert staged.images == (image,)
    assert database.sessions.get_image(handle.run_id, image.image_id, user_id="ada") == BLUE.content
    engine.stop(handle.run_id, user_id="ada")
    assert handle.wait(20).images == (image,)
    assert database.sessions.get_run(handle.run_id, user_id="ada").images == (image,)


def test_a_question_stopped_before_its_turn_keeps_its_image(open_engine, database):
    engine = open_engine(say(3.0, "Done."))
    first = engine.start("First?", user_id="ada", team="desk")
    second = engine.start("Second?", user_id="ada", team="desk", session_id=first.session_id, images=[BLUE])
    engine.stop(second.run_id, user_id="ada")
    (image,) = second.wait(20).images
    engine.stop(first.run_id, user_id="ada")
    assert database.sessions.get_run(second.run_id, user_id="ada").images == (image,)
    assert database.sessions.get_image(second.run_id, image.image_id, user_id="ada") == BLUE.content


def test_a_later_question_sees_the_image_again_through_history(open_sqlite_engine):
    given = []

    def looking(messages):
        given.append([len(image.content or b"") for message in messages for image in message.images or ()])
        return ["Seen."]

    engine = open_sqlite_engine(looking)
    first = engine.start("What is this?", user_id="ada", team="desk", images=[BLUE])
    first.wait(20)
    engine.start("And again?", user_id="ada", team="desk", session_id=first.session_id).wait(20)
    assert given == [[len(BLUE.content)], [len(BLUE.content)]]


def test_nobody_else_gets_an_image_and_no_key_leads_anywhere(open_engine, database, database_settings):
    engine = open_engine(say("Blue."))
    run = engine.start("What is this?", user_id="ada", team="desk", images=[BLUE]).wait(20)
    other = engine.start("Nothing.", user_id="bob", team="desk").wait(20)
    (image,) = run.images
    for user in ("bob", "Ada", "ada "):
        with pytest.raises(RunNotFound):
            database.sessions.get_image(run.run_id, image.image_id, user_id=user)
    for guess in (image.storage_key, "../roundtable.db", "/etc/passwd", "image-0", ""):
        with pytest.raises(ImageNotFound):
            database.sessions.get_image(run.run_id, guess, user_id="ada")
        with pytest.raises(ImageNotFound):
            database.sessions.get_image(other.run_id, guess, user_id="bob")
    assert (
        database.sessions.get_image(run.run_id, image.image_id, user_id=Reader(user_id="eve", admin=True))
        == BLUE.content
    )


@pytest.mark.parametrize("key", ["../outside.png", "/etc/hostname", "a/../../outside.png", "", "\0", "."])
def test_a_stored_key_that_leads_out_of_the_folder_reads_nothing(database, database_settings, key):
    database_settings.media_dir.mkdir(parents=True, exist_ok=True)
    (database_settings.media_dir.parent / "outside.png").write_bytes(b"secret")
    reference = {
        "id": "i",
        "media_reference": {"media_id": "i", "storage_key": key.replace("\0", "\\0"), "storage_backend": "local"},
    }
    stage(database, images=[reference])
    with pytest.raises(ImageNotFound):
        database.sessions.get_image("r", "i", user_id="ada")


def test_an_image_another_app_stored_in_the_row_is_read_and_an_address_is_never_opened(database, monkeypatch):
    inline = {"id": "here", "mime_type": "image/png", "content": base64.b64encode(BLUE.content).decode()}
    far = {"id": "far", "url": "http://127.0.0.1:9/evil.png"}
    stage(database, images=[inline, far, {"id": "odd", "content": "%%%"}])
    assert database.sessions.get_image("r", "here", user_id="ada") == BLUE.content
    monkeypatch.setattr("httpx.get", lambda *_, **__: pytest.fail("an address was opened"))
    for image_id in ("far", "odd"):
        with pytest.raises(ImageNotFound):
            database.sessions.get_image("r", image_id, user_id="ada")
    assert [image.url for image in database.sessions.get_run("r", user_id="ada").images] == [None, far["url"], None]


def stage(database, *, images) -> None:
    database.sessions.stage_question(
        session_id="s", user_id="ada", run_id="r", component_id="desk", component_name="Desk", kind=SessionKind.TEAM,
        question="What is this?", settings={}, images=images,
    )  # fmt: skip


def test_what_could_not_be_asked_leaves_no_file(open_engine, database_settings):
    engine = open_engine(say("Blue."))
    hers = engine.start("What is this?", user_id="ada", team="desk", images=[BLUE])
    hers.wait(20)
    before = files(database_settings)
    with pytest.raises(SessionNotFound):
        engine.start("And this?", user_id="bob", team="desk", session_id=hers.session_id, images=[BLUE, BLUE])
    assert files(database_settings) == before


def test_a_media_folder_that_cannot_be_written_is_said_and_nothing_is_asked(database, tmp_path):
    (tmp_path / "file").write_text("no folder")
    settings = build_settings(tmp_path, media_dir=tmp_path / "file" / "media")
    engine = build_engine(database, settings, build_desk(say("Blue.")))
    with pytest.raises(StorageError, match="MEDIA_DIR"):
        engine.start("What is this?", user_id="ada", team="desk", images=[BLUE])
    assert not database.sessions.list_sessions(user_id="ada").items
    engine.close()


def test_a_session_that_is_deleted_takes_its_images_along(open_engine, database, database_settings):
    engine = open_engine(say("Blue."))
    run = engine.start("What is this?", user_id="ada", team="desk", images=[BLUE]).wait(20)
    assert files(database_settings)
    database.sessions.delete_session(run.session_id, user_id="ada")
    assert not files(database_settings)
