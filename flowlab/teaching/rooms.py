"""Rooms: a class that follows its teacher's screen and answers questions. In memory alone, until the room is closed."""

from __future__ import annotations

import math
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""What codes are made of: no letter or digit that is taken for another when read from a projector."""
CODE_LENGTH = 6
HERE_SECONDS = 10.0
"""Who has not been seen for so long is not counted as here."""
IDLE_SECONDS = 4 * 3600.0
"""A room whose teacher has not been seen for so long is closed."""
MAX_ROOMS = 200
MAX_MEMBERS = 500
MAX_OPTIONS = 6
MAX_QUESTIONS = 200
MAX_TEXT = 300
MAX_NICKNAME = 40

Answer = int | tuple[float, float]
"""The number of an option, or a point of the plane."""


class RoomError(ValueError):
    """What a room refuses; its message is a sentence for people."""


@dataclass(frozen=True)
class Place:
    """What the teacher looks at: a page, and its link's query."""

    page: str
    query: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Question:
    """What a class is asked.

    Attributes
    ----------
    prompt : the question's words
    options : the answers to choose from; none where a point of the plane is asked
    window : (left, right, bottom, top), in data units, within which a point is asked
    place : where it was asked
    is_revealed : whether the votes are shown; nobody votes afterwards
    """

    prompt: str
    options: tuple[str, ...] = ()
    window: tuple[float, float, float, float] | None = None
    place: Place | None = None
    is_revealed: bool = False

    def check(self, answer: Answer) -> Answer:
        """The answer, if it is one to this question; RoomError if not."""
        if self.window is None:
            if isinstance(answer, int) and 0 <= answer < len(self.options):
                return answer
            raise RoomError("This is none of the answers to choose from.")
        left, right, bottom, top = self.window
        if isinstance(answer, tuple) and left <= answer[0] <= right and bottom <= answer[1] <= top:
            return answer
        raise RoomError("The point lies outside the picture.")


@dataclass(frozen=True)
class Vote:
    """One member's answer to the present question, by the name that they gave themselves."""

    name: str
    answer: Answer


@dataclass
class _Member:
    name: str = ""
    seen: float = -math.inf


@dataclass
class _Round:
    """A question and its answers by visitor."""

    question: Question
    answers: dict[str, Answer] = field(default_factory=dict)


class Room:
    """A room of one teacher. Every method may be called from any thread.

    Parameters
    ----------
    code : what the class types or photographs
    host : the visitor who opened it and alone leads it
    clock : seconds that only go forward
    """

    def __init__(self, code: str, host: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.code, self.host = code, host
        self._clock = clock
        self._lock = threading.RLock()
        self._members: dict[str, _Member] = {}
        self._rounds: list[_Round] = []
        self._place: Place | None = None
        self._is_asking = False
        self.host_seen = clock()

    def join(self, visitor: str) -> None:
        """Note that a visitor is here; RoomError where the room is full."""
        with self._lock:
            if visitor == self.host:
                self.host_seen = self._clock()
                return
            if visitor not in self._members and len(self._members) >= MAX_MEMBERS:
                raise RoomError(f"The room {self.code} is full: {MAX_MEMBERS} visitors are in it.")
            self._members.setdefault(visitor, _Member()).seen = self._clock()

    def leave(self, visitor: str) -> None:
        """Forget a visitor; the answers they gave stay."""
        with self._lock:
            self._members.pop(visitor, None)

    def has(self, visitor: str) -> bool:
        """Whether a visitor is in it, as its teacher or as one of the class."""
        return visitor == self.host or visitor in self._members

    def call(self, visitor: str, name: str) -> None:
        """Give a visitor the name that they chose; what is too long or not printable is cut."""
        with self._lock:
            if visitor in self._members:
                self._members[visitor].name = "".join(filter(str.isprintable, name)).strip()[:MAX_NICKNAME]

    def name(self, visitor: str) -> str:
        """The name that a visitor chose, "" without one."""
        with self._lock:
            return self._members[visitor].name if visitor in self._members else ""

    def n_here(self) -> int:
        """How many of the class have been seen in the last HERE_SECONDS."""
        with self._lock:
            return sum(self._clock() - member.seen < HERE_SECONDS for member in self._members.values())

    def move(self, place: Place) -> None:
        """The teacher looks at another place."""
        self._place = place

    @property
    def place(self) -> Place | None:
        """Where the teacher is, None before the first page."""
        return self._place

    def ask(self, question: Question) -> None:
        """Put a question; it takes the place of the one before. RoomError where it is none."""
        prompt, options = question.prompt.strip(), tuple(option.strip() for option in question.options)
        if not prompt:
            raise RoomError("Write the question first.")
        if question.window is None and not 2 <= len(options) <= MAX_OPTIONS:
            raise RoomError(f"A question has 2 to {MAX_OPTIONS} answers to choose from, one in each line.")
        if len(set(options)) < len(options) or not all(options):
            raise RoomError("Two answers are the same; write each once.")
        if max(map(len, (prompt, *options))) > MAX_TEXT:
            raise RoomError(f"Keep the question and each answer under {MAX_TEXT} letters.")
        with self._lock:
            if len(self._rounds) >= MAX_QUESTIONS:
                raise RoomError(f"{MAX_QUESTIONS} questions were asked here; open another room.")
            self._rounds.append(_Round(replace(question, prompt=prompt, options=options, is_revealed=False)))
            self._is_asking = True

    @property
    def question(self) -> Question | None:
        """The question that is put, None where there is none."""
        with self._lock:
            return self._rounds[-1].question if self._is_asking else None

    @property
    def number(self) -> int:
        """How many questions have been put."""
        return len(self._rounds)

    def answer(self, visitor: str, number: int, answer: Answer) -> None:
        """A visitor's answer to a question by its number (`number` when it was shown), in place of the one before.

        RoomError where the question is over, where the answer is none, and for who is not in the room.
        """
        with self._lock:
            if visitor not in self._members:
                raise RoomError("Only who is in the room answers.")
            if self.question is None or number != self.number or self.question.is_revealed:
                raise RoomError("The votes on this question are closed.")
            self._rounds[-1].answers[visitor] = self.question.check(answer)

    def answer_of(self, visitor: str) -> Answer | None:
        """A visitor's answer to the present question."""
        with self._lock:
            return self._rounds[-1].answers.get(visitor) if self._is_asking else None

    def reveal(self) -> None:
        """Close the vote and let everybody see it."""
        with self._lock:
            if self._is_asking:
                self._rounds[-1].question = replace(self._rounds[-1].question, is_revealed=True)

    def put_away(self) -> None:
        """Take the question off the screens."""
        self._is_asking = False

    def votes(self) -> tuple[Vote, ...]:
        """The answers to the present question, in the order in which they first came."""
        with self._lock:
            if not self._is_asking:
                return ()
            return tuple(Vote(self.name(visitor), answer) for visitor, answer in self._rounds[-1].answers.items())

    def tally(self) -> tuple[int, ...]:
        """How many chose each option of the present question."""
        question = self.question
        chosen = [vote.answer for vote in self.votes()]
        return tuple(chosen.count(i) for i in range(len(question.options))) if question else ()

    def minutes(self) -> list[dict[str, str]]:
        """Everything asked and answered here, a dict for each answer: question, name, answer in words."""
        with self._lock:
            return [
                {
                    "question": one.question.prompt,
                    "name": self.name(visitor),
                    "answer": one.question.options[answer]
                    if isinstance(answer, int)
                    else f"{answer[0]:g}, {answer[1]:g}",
                }
                for one in self._rounds
                for visitor, answer in one.answers.items()
            ]


class Rooms:
    """All rooms of a server.

    Parameters
    ----------
    clock : seconds that only go forward
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._rooms: dict[str, Room] = {}

    def open(self, host: str) -> Room:
        """The room of a teacher: a new one, or the one that they have. RoomError where there are too many."""
        with self._lock:
            self._close_idle()
            found = next((room for room in self._rooms.values() if room.host == host), None)
            if found is not None:
                return found
            if len(self._rooms) >= MAX_ROOMS:
                raise RoomError(f"{MAX_ROOMS} rooms are open on this server; try again when one has closed.")
            code = self._new_code()
            self._rooms[code] = Room(code, host, self._clock)
            return self._rooms[code]

    def _new_code(self) -> str:
        while (code := "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))) in self._rooms:
            pass
        return code

    def _close_idle(self) -> None:
        now = self._clock()
        self._rooms = {code: room for code, room in self._rooms.items() if now - room.host_seen < IDLE_SECONDS}

    def enter(self, code: str, visitor: str) -> Room:
        """Join a room by its code, leaving any other; RoomError, a sentence, where there is none of this code."""
        with self._lock:
            self._close_idle()
            room = self._rooms.get(code.strip().upper())
            if room is None:
                raise RoomError("The room of this link is closed. Ask your teacher for a new link.")
            room.join(visitor)
            for other in self._rooms.values():
                if other is not room:
                    other.leave(visitor)
            return room

    def of(self, visitor: str) -> Room | None:
        """The room that a visitor is in: one's own before another's."""
        rooms = list(self._rooms.values())
        own = next((room for room in rooms if room.host == visitor), None)
        return own or next((room for room in rooms if room.has(visitor)), None)

    def close(self, room: Room) -> None:
        """End a room; nothing of it is kept."""
        with self._lock:
            self._rooms.pop(room.code, None)
