"""What a run displayed, as a notebook would show it, and the messages that bring a front end into line with it."""

from __future__ import annotations

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from jobq_magic.notebook.outlet import Outlet
from jobq_magic.runs import canvas as canvas_
from jobq_magic.runs.canvas import Canvas
from jobq_magic.runs.tail import Chunk, Display


def shown(text: str, display_id: str | None = None, *, update: bool = False) -> Display:
    return Display(
        "update_display_data" if update else "display_data",
        {"text/plain": text},
        transient={"display_id": display_id} if display_id else {},
    )


def texts(canvas: Canvas) -> list[str]:
    return [picture.bundle["text/plain"] for picture in canvas.pictures]


def after(*items: Display) -> Canvas:
    canvas = Canvas()
    for item in items:
        canvas.apply(item)
    return canvas


CLEAR, CLEAR_LATER = Display("clear_output", {}), Display("clear_output", {}, wait=True)


def test_displays_stand_in_their_order_and_updates_change_all_with_that_id():
    canvas = after(shown("a"), shown("b", "x"), shown("c", "x"), shown("d", "x", update=True))
    assert texts(canvas) == ["a", "d", "d"]


def test_an_update_of_an_id_that_nobody_displayed_shows_nothing():
    assert texts(after(shown("a"), shown("b", "unknown", update=True), shown("c", update=True))) == ["a"]


def test_clear_output_clears_at_once_or_with_the_next_output():
    assert texts(after(shown("a"), CLEAR)) == []
    assert texts(after(shown("a"), CLEAR_LATER)) == ["a"]
    assert texts(after(shown("a"), CLEAR_LATER, shown("b"))) == ["b"]
    canvas = after(shown("a"), CLEAR_LATER)
    canvas.apply(Chunk("stdout", b"printed"))
    assert texts(canvas) == []


def test_what_is_kept_is_bounded_in_number_and_bytes_and_the_rest_is_counted():
    canvas = after(*(shown(str(number)) for number in range(canvas_.MOST + 5)))
    assert (len(canvas.pictures), canvas.dropped) == (canvas_.MOST, 5)
    large = "x" * (canvas_.MOST_BYTES // 2)
    canvas = after(shown(large), shown(large), shown("small"))
    assert (len(canvas.pictures), canvas.dropped) == (2, 1)


class FrontEnd:
    """Keeps outputs as JupyterLab does: appended by display_data, replaced by their id."""

    def __init__(self) -> None:
        self.outputs: dict[str, str] = {}
        self.parents: set[str] = set()
        self.messages = 0

    def shell(self) -> SimpleNamespace:
        return SimpleNamespace(display_pub=SimpleNamespace(session=self, pub_socket="socket", topic=b"topic"))

    def send(self, socket, kind, content, *, parent, ident) -> None:
        assert (socket, ident) == ("socket", b"topic")
        self.parents.add(parent["msg_id"])
        self.messages += 1
        place = content["transient"]["display_id"]
        assert (kind == "display_data") == (place not in self.outputs)
        self.outputs[place] = content["data"].get("text/plain", "")

    def seen(self) -> list[str]:
        return [text for text in self.outputs.values() if text]


ITEMS = st.lists(
    st.one_of(
        st.builds(shown, st.sampled_from("abcdef")),
        st.builds(shown, st.sampled_from("abcdef"), st.sampled_from("xy")),
        st.builds(
            lambda text, place: shown(text, place, update=True), st.sampled_from("abcdef"), st.sampled_from("xy")
        ),
        st.sampled_from([CLEAR, CLEAR_LATER]),
    ),
    max_size=20,
)


@given(batches=st.lists(ITEMS, max_size=5))
def test_whenever_it_is_brought_into_line_the_front_end_shows_what_the_canvas_has(batches):
    canvas, page = Canvas(), FrontEnd()
    under = Outlet(page.shell(), {"msg_id": "the cell"})
    for items in batches:
        for item in items:
            canvas.apply(item)
        under.show(canvas.pictures)
        assert page.seen() == texts(canvas)
        before = page.messages
        under.show(canvas.pictures)
        assert page.messages == before, "what is shown already is not sent again"
    assert page.parents <= {"the cell"}


def test_a_worker_changes_and_clears_only_what_it_displayed_itself():
    canvas = Canvas()
    named = {"display_id": "x"}
    for source in "0", "1":
        canvas.apply(Display("display_data", {"text/plain": f"of {source}"}, {}, named, source=source))
    canvas.apply(Display("update_display_data", {"text/plain": "new"}, {}, named, source="1"))
    assert [each.bundle["text/plain"] for each in canvas.pictures] == ["of 0", "new"]
    canvas.apply(Display("clear_output", {}, wait=True, source="0"))
    canvas.apply(Chunk("stdout", b"x", "1"))
    assert len(canvas.pictures) == 2
    canvas.apply(Chunk("stdout", b"x", "0"))
    assert [each.source for each in canvas.pictures] == ["1"]
