"""Images in the chat, driven by AppTest over the real engine, storage and offline model."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from lib.ui.attaching import MAX_IMAGES
from tests.pages.test_chat import ROOT, boxes, session_of, shared, wait, words


@pytest.fixture
def chat(app_environment) -> Iterator[AppTest]:
    """The app's entry point, before its first run; what a process shares is made anew for each test."""
    st.cache_resource.clear()
    st.cache_data.clear()
    yield AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
    shared().close()
    st.cache_resource.clear()


def picture(colour: str = "blue", kind: str = "PNG") -> bytes:
    made = BytesIO()
    Image.new("RGB", (64, 48), colour).save(made, kind)
    return made.getvalue()


def ask_about(chat: AppTest, question: str, *files: tuple[str, bytes]) -> None:
    composer = chat.chat_input(key="chat_input")
    for name, content in files:
        composer.upload(name, content, "image/png")
    composer.set_value(question).run()
    wait(chat)


def waiting(chat: AppTest) -> list[str]:
    return [button.label.replace("\\", "") for button in chat.button if (button.key or "").startswith("remove_image_")]


def test_an_image_is_asked_about_and_drawn_under_its_question(chat):
    chat.run()
    ask_about(chat, "What is in the picture?", ("blue.png", picture()))
    assert "a PNG of 64 x 48 pixels, mainly blue" in words(chat)
    assert len(chat.image) == 1
    assert any("blue.png" in caption.value.replace("\\", "") for caption in chat.caption)
    assert not boxes(chat)
    assert not waiting(chat)


def test_the_type_comes_from_what_the_file_holds(chat):
    chat.run()
    ask_about(chat, "What is in the picture?", ("photo.png", picture("red", "JPEG")))
    (run,) = shared().store.list_runs(session_of(chat), user_id="analyst").items
    assert run.images[0].mime_type == "image/jpeg"
    assert "a JPEG of 64 x 48 pixels, mainly red" in run.answer


def test_a_file_that_is_no_picture_is_said_and_nothing_is_lost(chat):
    chat.run()
    ask_about(chat, "What is in it?", ("good.png", picture()), ("bad.png", b"no picture"))
    assert "session" not in chat.query_params
    (box,) = boxes(chat)
    assert "bad.png is not a PNG, JPEG, WebP or GIF picture." in box
    assert [label.split(" ")[0] for label in waiting(chat)] == ["good.png"]
    ask_about(chat, "What is in it now?")
    assert "mainly blue" in words(chat)
    assert not boxes(chat)
    assert not waiting(chat)


def test_an_image_without_a_question_waits_for_one_and_can_be_taken_away(chat):
    chat.run()
    ask_about(chat, "", ("one.png", picture()), ("two.png", picture("red")))
    assert "Write what you want to know" in boxes(chat)[0]
    assert [label.split(" ")[0] for label in waiting(chat)] == ["one.png", "two.png"]
    chat.button(key="remove_image_0").click().run()
    assert [label.split(" ")[0] for label in waiting(chat)] == ["two.png"]
    ask_about(chat, "What is in the picture?")
    assert "mainly red" in words(chat)
    assert "blue" not in words(chat)


def test_more_images_than_a_question_takes_are_said(chat):
    chat.run()
    ask_about(chat, "What are these?", *[(f"{place}.png", picture()) for place in range(MAX_IMAGES + 1)])
    assert f"{MAX_IMAGES}.png is one too many" in boxes(chat)[0]
    assert len(waiting(chat)) == MAX_IMAGES
    assert "session" not in chat.query_params


def test_an_image_whose_file_is_gone_is_a_calm_note(chat, app_environment):
    chat.run()
    ask_about(chat, "What is in the picture?", ("blue.png", picture()))
    shutil.rmtree(app_environment.media_dir)
    st.cache_data.clear()
    chat.run()
    assert not boxes(chat)
    assert not chat.image
    assert any("not there any more" in caption.value for caption in chat.caption)


def test_a_question_with_an_image_is_asked_again_with_it(chat):
    chat.run()
    ask_about(chat, "[fail model] What is in the picture?", ("blue.png", picture()))
    again = next(button for button in chat.button if (button.key or "").startswith("ask_again_"))
    again.click().run()
    wait(chat)
    first, second = shared().store.list_runs(session_of(chat), user_id="analyst").items
    assert (first.images[0].name, second.images[0].name) == ("blue.png", "blue.png")
    assert first.images[0].image_id != second.images[0].image_id


def test_another_user_is_shown_no_image(chat):
    chat.run()
    ask_about(chat, "What is in the picture?", ("blue.png", picture()))
    other = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
    other.query_params["session"] = session_of(chat)
    other.query_params["as"] = "eve"
    other.run()
    assert "no session" in boxes(other)[0]
    assert not other.image


def test_an_image_at_an_address_is_named_and_never_opened(chat, app_environment: Path):
    from lib.records import SessionKind

    chat.run()
    shared().store.stage_question(
        session_id="s",
        user_id="analyst",
        run_id="r",
        component_id="market-desk",
        component_name="Market desk",
        kind=SessionKind.TEAM,
        question="What is this?",
        settings={},
        images=[{"id": "far", "url": "http://127.0.0.1:9/far.png"}],
    )
    shared().database.queue.leave("r")
    chat.query_params["session"] = "s"
    chat.run()
    assert not boxes(chat)
    assert not chat.image
    assert any("not fetched: http" in caption.value.replace("\\", "") for caption in chat.caption)
