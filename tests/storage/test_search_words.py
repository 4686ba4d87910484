"""Words of any script lead to the text that holds them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.storage.search_words import MAX_TERMS, find_first, fold, to_search_question, to_words


def leads_to(typed: str, text: str) -> bool:
    question = to_search_question(typed)
    words = set(to_words(text))
    unfinished = question.unfinished is None or any(word.startswith(question.unfinished) for word in words)
    return set(question.words) <= words and unfinished and all(term in fold(text) for term in question.terms)


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("weather", "What is the weather in Paris?"),
        ("weath", "What is the weather in Paris?"),
        ("KOELN wetter", "Das Wetter in koeln"),
        ("köln", "Wie warm ist es in KÖLN?"),
        ("koln", "Wie warm ist es in Köln?"),
        ("straße", "Die STRASSE ist lang"),
        ("天气", "巴黎的天气怎么样"),
        ("气", "巴黎的天气怎么样"),
        ("the", "to be or not to be, the question"),
        ('"hello wor', "he said hello world to me"),
        ("\u201ehello world\u201c", "he said hello world to me"),
        ("\u201chello world\u201d", "he said hello world to me"),
        ("don\u2019t", "I don't know"),
        ("don't", "I don\u2019t know"),
        ("\u2764\ufe0f", "with \u2764 from Paris"),
        ("\u2764", "with \u2764\ufe0f from Paris"),
        ("AI", "AI in the UK"),
        ("🌧", "it rains 🌧 today"),
        ("100%", "we are 100% sure"),
        ("a_b", "the variable a_b is set"),
        ('"in Paris"', "the weather in Paris"),
        ("it's", "it's fine"),
    ],
)
def test_words_lead_to_the_text(typed: str, text: str) -> None:
    assert leads_to(typed, text)


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("arty", "the party was long"),
        ('"Paris in"', "the weather in Paris"),
        ("100%", "we are 100 sure"),
        ("paris ", "Parisian food"),
        ("气天", "巴黎的天气怎么样"),
    ],
)
def test_other_texts_are_not_found(typed: str, text: str) -> None:
    assert not leads_to(typed, text)


def test_the_place_of_a_hit_is_its_place_in_the_written_text() -> None:
    text = "Die STRAẞE in Köln"
    start, end = find_first(text, ("koln",)) or (0, 0)
    assert text[start:end] == "Köln"


@given(st.text(min_size=1, max_size=40))
def test_every_word_of_a_text_leads_back_to_it(text: str) -> None:
    for word in text.split():
        if '"' not in word:
            assert leads_to(word, text)


@given(st.text(max_size=60))
def test_words_are_plain_and_short_for_any_text(text: str) -> None:
    for word in to_words(text):
        assert word.isascii() and word.isalnum() and 3 <= len(word) <= 60


def test_of_a_page_that_was_pasted_the_first_words_count():
    page = " ".join(f"word{number}" for number in range(1100))
    question = to_search_question(f"{page} {page}")
    assert question.terms == tuple(f"word{number}" for number in range(MAX_TERMS))
    assert len(question.words) == MAX_TERMS and question.unfinished is None
    assert leads_to(page, page)


@pytest.mark.parametrize("typed", ['"', '""', ' " ', "\u201c"])
def test_nothing_but_quotes_is_looked_for_as_it_stands(typed: str) -> None:
    assert to_search_question(typed).terms == (typed.strip().replace("\u201c", '"'),)


def test_a_closed_quote_is_not_still_being_typed():
    assert leads_to('"hello world"', "hello world") and not leads_to('"hello wor"', "hello wo-rld")
    assert to_search_question('"hello wor"').unfinished is None
    assert to_search_question('"hello wor').unfinished == "zqwor"
