"""What opens from the cards of a room: invitation, question, votes, a point to place, the end."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st

from flowlab import catalog, formatting, views
from flowlab.dashboard.shell import lesson, reach, services, state
from flowlab.dashboard.shell.widgets import PLOT, chart
from flowlab.plots import density, votes
from flowlab.records import RunSpec
from flowlab.tables.export import to_csv_bytes
from flowlab.teaching.rooms import MAX_OPTIONS, Answer, Question, Room, RoomError, Vote

GRID = 100
BEST = 5
"""So many of the points that the model finds most normal are named."""


@st.dialog("Invite the class")
def invite(room: Room) -> None:
    """The address by which the class joins, and its QR code."""
    site, problem = reach.reachable(state.site(), str(st.get_option("server.address") or ""))
    link = f"{site}/?{state.ROOM}={room.code}"
    st.code(link, language=None, wrap_lines=True)
    if problem:
        st.caption(problem)
    else:
        st.image(reach.qr_code(link), width=320, alt="QR code of the address above")


@st.dialog("Ask the class", width="medium")
def ask(room: Room) -> None:
    """The question that is put next: answers to choose from, or a point of the plane."""
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
def show_votes(room: Room) -> None:
    """The votes, and all answers of the room as a file."""
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
        chart(st, fig, "room.bars", alt=in_words(question, counts), theme=None, config=PLOT)
    else:
        _points(question, cast)
    _download(room)


def _download(room: Room) -> None:
    minutes = to_csv_bytes(pd.DataFrame(room.minutes(), columns=["question", "name", "answer"]))
    st.download_button("All answers as CSV", minutes, "answers.csv", "text/csv", icon=":material/download:")


def in_words(question: Question, counts: tuple[int, ...]) -> str:
    """How many chose each answer, in a line."""
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
def close(room: Room) -> None:
    """The last question before the room and what it holds are gone."""
    st.markdown("The class is released, and what it answered is gone. Download the answers first, if you want them.")
    with st.container(horizontal=True):
        _download(room)
        if st.button(
            "Close the room", key="room.closed", type="primary", on_click=services.rooms().close, args=(room,)
        ):
            st.rerun()


def vote(room: Room, number: int, answer: Answer) -> None:
    """Give an answer to a question by its number; what is refused is said."""
    try:
        room.answer(state.visitor(), number, answer)
    except RoomError as error:
        st.toast(formatting.escaped(error))


@st.dialog("Place a point")
def place_point(room: Room) -> None:
    """One of the class places a point among the rows."""
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
        vote(room, number, (x, y))
        st.rerun()
