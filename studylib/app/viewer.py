"""The viewer's page (Streamlit): controls and places; what is shown is made by the modules beside it.

A picture that is handed in stays in the memory of one browser tab's session: no cache holds it, no file is written.
"""

from __future__ import annotations

import os
from pathlib import Path

import streamlit as st

from studylib.app import markup
from studylib.app.card import Card, card_of
from studylib.app.choices import Collection, collections, open_collection, said, training_command
from studylib.app.look import FLOORS, THRESHOLD, Look, look_at, measures
from studylib.app.network import OFFERED, USUAL, Network
from studylib.app.panels import panels_of
from studylib.app.server import SEED
from studylib.app.sheet import exported
from studylib.app.uploads import MEGABYTES, Upload, read_upload
from studylib.cam import METHODS
from studylib.data.images import DataError
from studylib.study.one_image import words
from studylib.study.root import find_root, reports_folder, runs_folder
from studylib.training.memory import keep_buffers

EXAMPLE, OWN = "An example", "My own picture"
KEPT = "look"  # of the session: one look, replaced by the next


@st.cache_resource(max_entries=3, show_spinner="Opening the study …")
def opened(collection: Collection, root: Path, seed: int, _stamp: int):
    """Workshop and networks of a collection; read anew when a network was added."""
    return open_collection(collection, root, runs_folder(root), seed)


@st.cache_resource(max_entries=4, show_spinner="Preparing the network, once …")
def ready(collection: Collection, root: Path, seed: int, stamp: int, name: str) -> tuple[Network, Card]:
    """A network with its card, and what is familiar to it."""
    workshop, fits = opened(collection, root, seed, stamp)
    trained = next(t for t in fits if t.run.name == name)
    network = Network(collection, workshop, fits, trained)
    _ = network.twin
    return network, card_of(network, reports_folder(root))


def choose_network(root: Path, seed: int) -> tuple[Network, Card] | None:
    """The four choices that lead to one network; None, and a sentence, where none is trained."""
    runs = runs_folder(root)
    found = collections(root, runs, seed)
    if not found:
        st.info(
            "No trained network lies on this machine yet. The viewer trains nothing: train those of one study, "
            "then load this page again.",
            icon=":material/school:",
        )
        st.code(training_command("01"), language="bash")
        return None
    with st.sidebar:
        st.header("Network")
        numbers = list(dict.fromkeys(c.study for c in found))
        names = {c.study: words(c.name) for c in found}
        study = st.selectbox("Study", numbers, format_func=names.get, key="study")
        some = [c for c in found if c.study == study]
        st.caption(some[0].title)
        collection = st.selectbox("Images and profile", some, format_func=lambda c: c.images, key=f"collection {study}")
        stamp = (runs / study).stat().st_mtime_ns
        workshop, fits = opened(collection, root, seed, stamp)
        if not len(fits):
            st.warning("The networks on this machine were trained by other settings or another version of the code.")
            st.code(collection.command, language="bash")
            return None
        where = f"{study} {collection.data} {collection.profile}"
        kind = st.selectbox("Kind of network", fits.arms, format_func=words, key=f"kind {where}")
        arm = workshop.settings.arms[kind]
        st.caption(arm.why)
        same = [t for t in fits if t.run.arm.name == kind]
        trained = st.selectbox("Fold", same, format_func=lambda t: said(t.run), key=f"which {where} {kind}")
    return ready(collection, root, seed, stamp, trained.run.name)


def choose_picture(network: Network):
    """The picture: an example of the network's test images, or one that is handed in; None where there is none yet.
    -> (image, name, mark, truth, mask)
    """
    source = st.segmented_control("Picture", (EXAMPLE, OWN), default=EXAMPLE, key="source", required=True)
    if source == EXAMPLE:
        table = network.examples()
        chosen = st.selectbox(
            f"{len(table)} test images that this network never saw", list(table.index),
            format_func=lambda i: f"{table['image'][i]}  ({words(table['label'][i])})", key="example",
        )  # fmt: skip
        row, name, truth = (table[column][chosen] for column in ("row", "image", "label"))
        return network.dataset.image(int(row)), str(name), f"example {row}", str(truth), network.mask(int(row))
    given = st.file_uploader(
        f"A picture of at most {MEGABYTES} MB. It stays in memory and is forgotten when you leave.",
        max_upload_size=MEGABYTES, key="upload",
    )  # fmt: skip
    if given is None:
        st.caption("No picture yet. Remove what names a patient before you choose one.")
        return None
    try:
        picture: Upload = read_upload(given.getvalue())
    except DataError as error:
        st.error(str(error), icon=":material/error:")
        return None
    return picture.pixels, picture.name, f"upload {picture.mark}", "", None


def choose_maps(network: Network) -> tuple[list[str], str, str]:
    """Methods, layer, and the one map that outline and words are about."""
    left, middle, right = st.columns((3, 2, 2), vertical_alignment="top")
    names = {layer.name: layer for layer in network.layers}
    with middle:
        order = sorted(names, key=lambda name: name != network.layer)
        key = f"layer {network.spec.key}"
        layer = st.selectbox("Layer", order, format_func=lambda name: names[name].title, key=key)
    with left:
        allowed, refused = network.allowed(OFFERED, layer)
        usual = [m for m in USUAL if m in allowed]
        methods = st.pills(
            "Maps", allowed, selection_mode="multi", default=usual, format_func=lambda m: METHODS[m].title,
            key=f"maps {network.spec.key} {layer}", wrap=True,
        ) or usual  # fmt: skip
        if refused:
            st.caption(f"{', '.join(METHODS[m].title for m in refused)}: not defined at this layer.")
        if "scorecam" in methods:
            st.caption("Score-CAM runs the network once for each channel: it may take a while.")
    with right:
        first = network.spoken if network.spoken in methods else methods[0]
        spoken = st.selectbox(
            "Words and random weights for", methods, index=methods.index(first),
            format_func=lambda m: METHODS[m].title, key=f"spoken {network.spec.key} {layer} {methods}",
        )  # fmt: skip
    return methods, layer, spoken


def looked(network: Network, card: Card, picture, methods: list[str], layer: str, spoken: str) -> Look:
    """The look at a picture; the network runs only where something that it sees or is asked has changed."""
    image, name, mark, truth, mask = picture
    key = (network.spec.key, network.spec.arm, mark, tuple(methods), layer, spoken)
    kept = st.session_state.get(KEPT)
    if kept is None or kept[0] != key:
        st.session_state.pop(KEPT, None)  # else Streamlit keeps the one before it until the page is run again
        with st.spinner("Looking …"):
            made = look_at(
                network, image, name, card, methods=methods, layer=layer, spoken=spoken, truth=truth, mask=mask
            )
        st.session_state[KEPT] = kept = (key, made)
    return kept[1]


def show(look: Look, card: Card, maps_at) -> None:
    """All of a look, below its controls."""
    with maps_at:
        one, two, three = st.columns((2, 2, 1), vertical_alignment="center")
        share = one.slider("Outline: per cent of a map's maximum", 5, 95, round(100 * THRESHOLD), 5, key="cut")
        threshold = share / 100
        floor = two.selectbox("Floor", list(FLOORS), format_func=FLOORS.get, key="floor")
        overlay = three.toggle("Over the picture", key="overlay")
        st.html(markup.gallery(panels_of(look, threshold, floor, overlay)))
        st.html(markup.legend(threshold, look.mask is not None))
        st.caption(
            "Random weights and the floor know nothing of the class. Where the network's map looks like one of them, "
            "it says nothing about the picture."
        )
        table = measures(look, threshold, floor)
        if not table.empty:
            st.subheader("Against the true outline")
            st.html(markup.measured(table))
    how = {"threshold": threshold, "floor": floor, "overlay": overlay}
    st.subheader("Keep this page")
    one, two, _ = st.columns((1, 1, 3))
    for place, kind, mime in ((one, "pdf", "application/pdf"), (two, "png", "image/png")):
        place.download_button(
            kind.upper(), lambda kind=kind: exported(kind, look, card, **how), f"look.{kind}", mime,
            key=f"save {kind}", on_click="ignore", icon=":material/download:", width="stretch",
        )  # fmt: skip


def page() -> None:
    """The page from top to bottom."""
    st.set_page_config("studylib viewer", layout="wide", initial_sidebar_state="auto")
    st.html(markup.style())
    st.html(markup.notice())
    st.title("Look at one picture")
    keep_buffers()
    seed = int(os.environ.get(SEED, "0"))
    try:
        chosen = choose_network(find_root(), seed)
    except DataError as error:
        st.error(str(error), icon=":material/error:")
        return
    if chosen is None:
        st.session_state.pop(KEPT, None)
        return
    network, card = chosen
    picture = choose_picture(network)
    if picture is None:
        st.session_state.pop(KEPT, None)
    else:
        result, maps_at = st.container(), st.container()
        with maps_at:
            st.subheader("Where the map lies")
            methods, layer, spoken = choose_maps(network)
        look = looked(network, card, picture, methods, layer, spoken)
        with result:
            left, right = st.columns((2, 3), gap="large")
            left.html(markup.prediction(look))
            right.html(markup.probabilities(look))
            st.html(markup.doubts(look.doubts))
            st.html(markup.words(look))
        show(look, card, maps_at)
    st.subheader("The network's card")
    st.html(markup.card(card))
    if not card.gates.empty:
        with st.expander(f"Every check of its maps ({card.counted})"):
            st.html(markup.gates(card.gates))


if __name__ == "__main__":
    page()
