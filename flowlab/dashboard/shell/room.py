"""A room on the pages: the teacher's card and the class's, at the foot of every page while the room is open."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from flowlab import formatting
from flowlab.dashboard.shell import pages, services, state
from flowlab.dashboard.shell.room_dialogs import ask, close, in_words, invite, place_point, show_votes, vote
from flowlab.teaching.rooms import Place, Room, RoomError

HOST_SECONDS, CLASS_SECONDS = 1.0, 2.0
"""How often the teacher's card and the class's are drawn anew."""
DIALOG = "room.dialog"
"""Where the session keeps the name of the dialog that the page is to open."""
DIALOGS = {"invite": invite, "ask": ask, "votes": show_votes, "close": close, "place": place_point}


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
        DIALOGS[asked](room)


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
    _see_that_it_is_open(room)
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


def _see_that_it_is_open(room: Room) -> None:
    """Draw the page anew, without the card, where the room is closed or left."""
    if services.rooms().of(state.visitor()) is not room:
        st.rerun()


def _attend(room: Room) -> None:
    """The card of one of the class."""
    _see_that_it_is_open(room)
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
            st.markdown(formatting.escaped(in_words(question, room.tally())))
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
                on_click=vote,
                args=(room, number, i),
            )
