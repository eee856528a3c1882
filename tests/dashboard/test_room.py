"""A class joins by a link, follows its teacher from page to page, votes, and sees the votes when they are shown."""

import pytest
from pages_driver import enter, labelled, open_page, press, rerun, said, train

from flowlab.dashboard.shell import services
from flowlab.teaching.rooms import Place, Question

pytestmark = pytest.mark.usefixtures("own_server")
MOONS = {"data": "moons", "data.n_samples": "300", "model": "affine", "model.n_steps": "20", "seed": "5"}


@pytest.fixture
def room():
    made = services.rooms().open("teacher")
    yield made
    services.rooms().close(made)


def test_a_link_to_a_closed_room_is_answered_in_a_sentence():
    assert "The room of this link is closed" in said(open_page("data", {"room": "NOROOM"}))


def test_the_class_follows_the_teacher_until_it_is_left_alone(room):
    at = open_page("data", {"room": room.code})
    assert f"Room **{room.code}**" in said(at) and room.n_here() == 1
    room.move(Place("train", (("data", "rings"), ("seed", "3"), ("present", "1"))))
    rerun(at)
    assert at.session_state.spec.data.name == "rings" and at.session_state.spec.seed == 3
    assert at.session_state.link.page == "train" and "present" not in at.session_state.view
    enter(at, labelled(at.toggle, "Follow the teacher"), False)
    room.move(Place("train", (("data", "moons"),)))
    assert rerun(at).session_state.spec.data.name == "rings"


def test_one_votes_and_changes_their_mind_until_the_votes_are_shown(room):
    at = open_page("learn", {"room": room.code})
    room.ask(Question("Is <b>it</b> so?", ("yes", "no")))
    press(rerun(at), "yes")
    assert "Is <b>it</b> so?" in said(at) and room.tally() == (1, 0)
    press(at, "no")
    room.reveal()
    assert "yes: 0; no: 1" in said(rerun(at)) and not [b for b in at.button if b.label == "no"]
    press(at, "Leave")
    assert "Room" not in said(at) and room.tally() == (0, 1)


def test_the_teacher_opens_a_room_and_shows_the_votes():
    at = open_page("train", MOONS)
    press(press(at, "Share"), "Open a room for a class")
    room = services.rooms().of(at.session_state.visitor)
    assert "0 here" in said(at) and room.place == Place("train", tuple(at.session_state.link.query.items()))
    assert f"/?room={room.code}" in at.code[0].value
    services.rooms().enter(room.code, "student")
    room.ask(Question("Which?", ("left", "right")))
    room.answer("student", 1, 1)
    assert "1 here · 1 answered" in said(rerun(at))
    press(at, "Show the votes")
    assert room.question.is_revealed and at.subheader[0].value == "Which?"
    press(press(at, "Close"), "Close the room")
    assert services.rooms().of(at.session_state.visitor) is None and "Room" not in said(at)


def test_points_are_shown_over_the_density_with_the_most_normal_first():
    train(MOONS)
    at = open_page("train", MOONS)
    room = services.rooms().open(at.session_state.visitor)
    rerun(at)
    room.ask(Question("Where?", window=(-9.0, 9.0, -9.0, 9.0), place=room.place))
    for name, point in (("far", (8.0, 8.0)), ("near", (0.5, 0.25))):
        services.rooms().enter(room.code, name)
        room.call(name, name)
        room.answer(name, 1, point)
    words = said(press(rerun(at), "Show the votes"))
    assert words.index("near: ") < words.index("far: ") and "more probable than 0.0 % of the held-out rows" in words
    services.rooms().close(room)
