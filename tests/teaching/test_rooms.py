"""A room counts each vote once, tells who leads it, and keeps nothing once it is closed."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from flowlab.teaching import rooms as module
from flowlab.teaching.rooms import Place, Question, RoomError, Rooms

CHOICE = Question("Which one?", ("first", "second"))
PLANE = Question("Where?", window=(0.0, 1.0, 0.0, 2.0))


class Clock:
    """Seconds that a test moves on."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def rooms(clock):
    return Rooms(clock)


@pytest.fixture
def room(rooms):
    made = rooms.open("teacher")
    for name in ("ann", "bob"):
        rooms.enter(made.code.lower(), name)
    return made


def test_sixty_who_vote_at_once_and_change_their_minds_are_counted_once_each(rooms):
    room = rooms.open("teacher")
    room.ask(CHOICE)

    def votes(i):
        visitor = f"student {i}"
        rooms.enter(room.code, visitor)
        for answer in (1, 0, i % 2):
            room.answer(visitor, room.number, answer)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(votes, range(60)))
    assert room.tally() == (30, 30) and len(room.votes()) == 60 and room.n_here() == 60


def test_after_the_votes_are_shown_nobody_votes(room):
    room.ask(CHOICE)
    room.answer("ann", 1, 1)
    room.reveal()
    assert room.question.is_revealed and room.tally() == (0, 1)
    with pytest.raises(RoomError, match="closed"):
        room.answer("ann", 1, 0)


def test_an_answer_to_the_question_before_is_none_to_this_one(room):
    room.ask(CHOICE)
    room.ask(PLANE)
    with pytest.raises(RoomError, match="closed"):
        room.answer("ann", 1, 0)
    room.answer("ann", 2, (0.5, 0.5))
    assert room.answer_of("ann") == (0.5, 0.5) and room.answer_of("bob") is None


@pytest.mark.parametrize(
    "question, answer",
    [(CHOICE, 2), (CHOICE, -1), (CHOICE, (0.5, 0.5)), (PLANE, 0), (PLANE, (2.0, 0.5)), (PLANE, (float("nan"), 0.5))],
)
def test_what_is_no_answer_is_refused(room, question, answer):
    room.ask(question)
    with pytest.raises(RoomError):
        room.answer("ann", room.number, answer)
    assert room.votes() == ()


@pytest.mark.parametrize(
    "question, words",
    [
        (Question(" ", ("a", "b")), "Write the question"),
        (Question("?", ("a",)), "2 to 6"),
        (Question("?", tuple("abcdefg")), "2 to 6"),
        (Question("?", ("a", " a")), "same"),
        (Question("x" * 301, ("a", "b")), "under 300"),
    ],
)
def test_what_is_no_question_is_refused_and_the_one_before_stays(room, question, words):
    room.ask(CHOICE)
    with pytest.raises(RoomError, match=words):
        room.ask(question)
    assert room.question == CHOICE and room.number == 1


def test_only_who_is_in_the_room_answers_and_who_leaves_keeps_their_vote(room):
    room.ask(CHOICE)
    with pytest.raises(RoomError, match="in the room"):
        room.answer("eve", 1, 0)
    room.answer("ann", 1, 0)
    room.leave("ann")
    assert room.tally() == (1, 0) and not room.has("ann")


def test_who_enters_another_room_leaves_the_first(rooms, room):
    other = rooms.open("second teacher")
    rooms.enter(other.code, "ann")
    assert rooms.of("ann") is other and not room.has("ann") and rooms.of("bob") is room


def test_who_has_gone_is_not_counted_as_here(rooms, room, clock):
    assert room.n_here() == 2
    clock.now = module.HERE_SECONDS + 1
    rooms.enter(room.code, "bob")
    assert room.n_here() == 1


def test_a_room_without_its_teacher_closes_after_hours_and_its_link_says_so(rooms, room, clock):
    clock.now = module.IDLE_SECONDS - 1
    room.join("teacher")
    clock.now += module.IDLE_SECONDS - 1
    assert rooms.enter(room.code, "cid") is room
    clock.now += 2
    with pytest.raises(RoomError, match="is closed"):
        rooms.enter(room.code, "cid")


def test_a_closed_room_is_gone_and_its_teacher_can_open_another(rooms, room):
    assert rooms.open("teacher") is room
    rooms.close(room)
    assert rooms.of("teacher") is None and rooms.of("ann") is None
    assert rooms.open("teacher").code != room.code


def test_the_minutes_name_each_answer_in_words(room):
    room.call("ann", "  Ann\n<b>" + "x" * 100)
    room.ask(CHOICE)
    room.answer("ann", 1, 1)
    room.ask(PLANE)
    room.answer("bob", 2, (0.25, 1.5))
    room.put_away()
    first, second = room.minutes()
    assert first["answer"] == "second" and first["name"].startswith("Ann<b>x") and len(first["name"]) == 40
    assert second == {"question": "Where?", "name": "", "answer": "0.25, 1.5"}
    assert room.question is None and room.votes() == ()


def test_there_is_an_end_to_rooms_and_to_who_is_in_one(rooms, room, monkeypatch):
    monkeypatch.setattr(module, "MAX_MEMBERS", 2)
    monkeypatch.setattr(module, "MAX_ROOMS", 1)
    with pytest.raises(RoomError, match="full"):
        rooms.enter(room.code, "cid")
    assert rooms.enter(room.code, "ann") is room
    with pytest.raises(RoomError, match="1 rooms are open"):
        rooms.open("another teacher")


def test_a_place_is_where_the_teacher_is(room):
    assert room.place is None
    room.move(Place("train", (("data", "moons"),)))
    assert room.place.page == "train"
