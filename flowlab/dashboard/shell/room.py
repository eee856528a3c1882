"""A room on the pages: the teacher's card and the class's, at the foot of every page while the room is open."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd
import streamlit as st

from flowlab import catalog, formatting, views
from flowlab.dashboard.shell import lesson, pages, reach, services, state
from flowlab.dashboard.shell.widgets import PLOT, chart
from flowlab.plots import density, votes
from flowlab.records import RunSpec
from flowlab.tables.export import to_csv_bytes
from flowlab.teaching.rooms import MAX_OPTIONS, Answer, Place, Question, Room, RoomError, Vote

HOST_SECONDS, CLASS_SECONDS = 1.0, 2.0
"""How often the teacher's card and the class's are drawn anew."""
GRID = 100
DIALOG = "room.dialog"
BEST = 5
"""So many of the points that the model finds most normal are named."""


def draw(page: str) -> None:
    """Join the room of the link, if it names one, and draw the card of the room that the visitor is in."""
    code = state.take_room()
    if code:
        try:
            services.rooms().enter(code, state.visitor())
        except RoomError as error:
            st.warning(formatting.escaped(error))
    room = services.rooms().of(state.visitor())
    if room is None:
        return
    is_host = room.host == state.visitor()
    asked = state.recall(DIALOG, "")
    state.keep(DIALOG, "")
    with st.container(key="room", border=True, gap="small"):
        if is_host:
            st.fragment(_lead, run_every=HOST_SECONDS)(room, page)
        else:
            st.fragment(_attend, run_every=CLASS_SECONDS)(room)
    # Opened by the page and not by the card, which is drawn anew every second and would take them along.
    if asked and (is_host or asked == "place"):
        {"invite": _invite, "ask": _ask, "votes": _show_votes, "close": _close, "place": _place_point}[asked](room)


def _open(dialog: str) -> None:
    """Let the page open a dialog."""
    state.keep(DIALOG, dialog)
    st.rerun()


def open_button() -> None:
    """The button that opens a room for a class, with what a room is; nothing for who is in one."""
    if state.recall(DIALOG):  # of the room that has just been opened here
        st.rerun()
    if services.rooms().of(state.visitor()) is not None:
        return
    st.divider()
    st.button("Open a room for a class", icon=":material/groups:", on_click=_open_room)
    st.caption("The class follows this screen and answers your questions. Nothing is kept once the room closes.")


def _open_room() -> None:
    try:
        services.rooms().open(state.visitor())
        state.keep(DIALOG, "invite")
    except RoomError as error:
        st.toast(formatting.escaped(error))


def _lead(room: Room, page: str) -> None:
    """The teacher's card."""
    if not _is_open(room):
        return
    room.join(state.visitor())
    query = state.query(pages.settings(page))
    room.move(Place(page, tuple(query.items())))
    question = room.question
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        here = formatting.count(room.n_here())
        said = f"Room **{room.code}** · {here} here"
        if question is not None and not question.is_revealed:
            said += f" · {formatting.count(len(room.votes()))} answered"
        st.markdown(said, width="content")
        if st.button("Invite", key="room.invite", icon=":material/qr_code_2:", type="tertiary"):
            _open("invite")
        if question is None:
            if st.button("Ask", key="room.ask", icon=":material/how_to_vote:", type="primary"):
                _open("ask")
        else:
            if st.button("Show the votes", key="room.reveal", icon=":material/visibility:", type="primary"):
                room.reveal()
                _open("votes")
            if question.is_revealed and st.button("Next", key="room.next", help="Take the question off the screens"):
                room.put_away()
                st.rerun(scope="fragment")
        if st.button("Close", key="room.close", icon=":material/close:", type="tertiary", help="Nothing is kept"):
            _open("close")


def _is_open(room: Room) -> bool:
    """Whether the room is still open; the page is drawn without it once where it is not."""
    if services.rooms().of(state.visitor()) is room:
        return True
    st.rerun()
    return False


@st.dialog("Invite the class")
def _invite(room: Room) -> None:
    site, problem = reach.reachable(state.site(), str(st.get_option("server.address") or ""))
    link = f"{site}/?{state.ROOM}={room.code}"
    st.code(link, language=None, wrap_lines=True)
    if problem:
        st.caption(problem)
    else:
        st.image(reach.qr_code(link), width=320, alt="QR code of the address above")


@st.dialog("Ask the class", width="medium")
def _ask(room: Room) -> None:
    kinds = ["Answers to choose from", "A point in the plane"][: 2 if _is_density_of_a_plane() else 1]
    kind = st.segmented_control("Kind", kinds, default=kinds[0], required=True, label_visibility="collapsed")
    is_choice = kind == kinds[0]
    usual = (
        _asked_by_lesson(room) if is_choice else "Where does the model find a row most normal, though none is there?"
    )
    prompt = st.text_area("Question", value=usual, key=f"room.prompt.{is_choice}", height=70)
    lines = ""
    if is_choice:
        lines = st.text_area(
            f"Answers, one in each line, at most {MAX_OPTIONS}", value="Yes\nNo\nIt depends", height=130
        )
    if st.button("Ask", key="room.put", type="primary"):
        x0, x1, y0, y1 = (float(v) for v in views.stage(services.dataset()).window)
        options = tuple(line for line in lines.splitlines() if line.strip())
        try:
            room.ask(Question(prompt, options, None if is_choice else (x0, x1, y0, y1), room.place))
        except RoomError as error:
            st.error(formatting.escaped(error))
            return
        st.rerun()


def _is_density_of_a_plane() -> bool:
    run, model = services.run(), catalog.MODELS[state.spec().model.name].make
    return run is not None and run.is_usable and model.is_density and len(views.judged(model, services.dataset())) == 2


def _asked_by_lesson(room: Room) -> str:
    """The question of the lesson's step that is shown, if it has one."""
    page = room.place.page if room.place else ""
    found = lesson.find(state.view(page, "lesson", "")) if page == "learn" else None
    if found is None:
        return "What will happen?"
    step = found.steps[min(max(state.view(page, "step", 1), 1), len(found.steps)) - 1]
    return lesson.text(found, step.question) if step.question else "What will happen?"


@st.dialog("The votes", width="large")
def _show_votes(room: Room) -> None:
    question = room.question
    if question is None:
        return
    st.subheader(formatting.escaped(question.prompt))
    cast = room.votes()
    if not cast:
        st.info("Nobody has answered.")
    elif question.window is None:
        counts = room.tally()
        fig = votes.bars(question.options, counts, state.is_dark())
        chart(st, fig, "room.bars", alt=_in_words(question, counts), theme=None, config=PLOT)
    else:
        _points(question, cast)
    minutes = to_csv_bytes(pd.DataFrame(room.minutes(), columns=["question", "name", "answer"]))
    st.download_button("All answers as CSV", minutes, "answers.csv", "text/csv", icon=":material/download:")


def _in_words(question: Question, counts: tuple[int, ...]) -> str:
    return "; ".join(f"{option}: {formatting.count(n)}" for option, n in zip(question.options, counts, strict=True))


def _points(question: Question, cast: tuple[Vote, ...]) -> None:
    """The points over the learned density, and those that the model finds most normal."""
    spec = _spec(question)
    run = services.run(spec)
    if run is None or not run.is_usable:
        st.info("The model of this question is not trained here any more.")
        return
    trained = services.Trained(run)
    points = tuple(vote.answer for vote in cast if isinstance(vote.answer, tuple))
    found = trained.view(views.guesses, points=points)
    grid = replace(trained.view(views.density_grid, n=GRID), true=None)
    order = np.argsort(-found.log_density)
    axes = views.stage(services.dataset(spec)).axes
    fig = density.density_panels(grid, "log_density", state.is_dark(), axes=axes)
    votes.add_points(fig, found.points, [vote.name for vote in cast], state.is_dark())
    said = [
        f"{formatting.escaped(cast[i].name or 'Somebody')}: {formatting.number(found.log_density[i])} nats, "
        f"more probable than {formatting.percent(found.share_below[i])} of the held-out rows"
        for i in order[:BEST]
    ]
    chart(
        st,
        fig,
        "room.points",
        alt=f"{formatting.count(len(points))} points over the learned density",
        theme=None,
        config=PLOT,
    )
    st.markdown("\n".join(f"{i + 1}. {line}" for i, line in enumerate(said)))


def _spec(question: Question) -> RunSpec:
    query = dict(question.place.query) if question.place else {}
    return catalog.tidy(RunSpec.from_query(query, catalog.DEFAULT)[0])[0]


@st.dialog("Close the room?")
def _close(room: Room) -> None:
    st.markdown("The class is released, and what it answered is gone. Download the answers first, if you want them.")
    minutes = to_csv_bytes(pd.DataFrame(room.minutes(), columns=["question", "name", "answer"]))
    with st.container(horizontal=True):
        st.download_button("All answers as CSV", minutes, "answers.csv", "text/csv", icon=":material/download:")
        if st.button(
            "Close the room", key="room.closed", type="primary", on_click=services.rooms().close, args=(room,)
        ):
            st.rerun()


def _attend(room: Room) -> None:
    """The card of one of the class."""
    if not _is_open(room):
        return
    visitor = state.visitor()
    room.join(visitor)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"Room **{room.code}**", width="content")
        # kept beside the switch, whose own state is gone with each page
        changed = state.on_widget("room.follow", lambda new: state.keep("room.follows", new))
        follows = st.toggle(
            "Follow the teacher", state.recall("room.follows", True), key="room.follow", on_change=changed
        )
        named = st.text_input(
            "Your name", room.name(visitor), key="room.name", placeholder="Your name, if you like",
            label_visibility="collapsed", width=180,
        )  # fmt: skip
        room.call(visitor, named)
        if st.button("Leave", key="room.leave", type="tertiary"):
            room.leave(visitor)
            st.rerun()
    _be_asked(room)
    if follows and room.place is not None and room.place != state.recall("room.place"):
        state.keep("room.place", room.place)
        state.follow(room.place.page, dict(room.place.query))
        st.switch_page(pages.path(room.place.page), query_params=state.query(room.place.page))


def _be_asked(room: Room) -> None:
    """The question, and the answers to press, until the votes are shown."""
    question, number, visitor = room.question, room.number, state.visitor()
    if question is None:
        return
    st.markdown(f"**{formatting.escaped(question.prompt)}**")
    given = room.answer_of(visitor)
    if question.is_revealed:
        if question.window is None:
            st.markdown(formatting.escaped(_in_words(question, room.tally())))
        else:
            st.markdown("The votes are on the teacher’s screen.")
        return
    if question.window is not None:
        label = "Place a point" if given is None else "Move your point"
        if st.button(label, key=f"room.place.{number}", icon=":material/add_location:"):
            _open("place")
        return
    with st.container(horizontal=True, gap="small"):
        for i, option in enumerate(question.options):
            kind: Literal["primary", "secondary"] = "primary" if given == i else "secondary"
            st.button(
                formatting.escaped(option),
                key=f"room.vote.{number}.{i}",
                type=kind,
                on_click=_vote,
                args=(room, number, i),
            )


def _vote(room: Room, number: int, answer: Answer) -> None:
    try:
        room.answer(state.visitor(), number, answer)
    except RoomError as error:
        st.toast(formatting.escaped(error))


@st.dialog("Place a point")
def _place_point(room: Room) -> None:
    question, number = room.question, room.number
    if question is None or question.window is None:
        return
    left, right, bottom, top = question.window
    given = room.answer_of(state.visitor())
    start = given if isinstance(given, tuple) else ((left + right) / 2, (bottom + top) / 2)
    stage = views.stage(services.dataset(_spec(question)))
    place = st.empty()
    x = st.slider(formatting.escaped(stage.axes[0]), left, right, start[0], key=f"room.x.{number}")
    y = st.slider(formatting.escaped(stage.axes[1]), bottom, top, start[1], key=f"room.y.{number}")
    fig = votes.placing(stage.points, (x, y), question.window, stage.axes, state.is_dark())
    words = f"Your point at {formatting.number(x)}, {formatting.number(y)} among the rows"
    chart(place, fig, "room.placing", alt=words, theme=None, config=PLOT)
    if st.button("This is my point", key="room.placed", type="primary"):
        _vote(room, number, (x, y))
        st.rerun()
