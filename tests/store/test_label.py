"""Name, note and tags of a run: cleaned and limited text that stays with the run, also where it is trained again."""

import pytest

from flowlab.__main__ import main
from flowlab.records import RunSpec, RunState, Spec
from flowlab.store.label import RunLabel
from flowlab.store.runs import RunStore

SPEC, ID, COPY = RunSpec(Spec("moons"), Spec("gaussian")), f"{1:016x}", f"{2:016x}"
LABEL = RunLabel("pump 7", "no rows of <b>May</b>\nsee *plan*", ("june", "final"))


@pytest.fixture
def store(tmp_path):
    store = RunStore(tmp_path)
    store.create(ID, SPEC, "anna")
    return store


def test_what_is_typed_is_cleaned():
    label = RunLabel.of(" pump\u202e  7\x00 ", "a\tb \n\n c ", " june,, final ,june")
    assert label == RunLabel("pump 7", "a b\n\nc", ("june", "final"))
    assert RunLabel.from_record(label.to_record()) == label and not RunLabel.of(" ", "\n", " , ")


@pytest.mark.parametrize(
    "given",
    [{"name": "x" * 61}, {"note": "x" * 501}, {"tags": ["x" * 25]}, {"tags": "a,b,c,d,e,f,g,h,i"}, {"tags": ["a,b"]}],
)
def test_what_is_too_long_is_refused_in_a_sentence(given):
    with pytest.raises(ValueError, match=r"^a (name|note|tag|run) has at most"):
        RunLabel.of(**given)


@pytest.mark.parametrize("record", [None, [], {"name": 1}, {"name": "x" * 99, "note": "", "tags": []}, "text"])
def test_a_record_that_is_none_is_an_empty_label(record):
    assert RunLabel.from_record(record) == RunLabel()


def test_it_stays_with_a_run_that_is_begun_again_or_replaced_and_a_damaged_one_is_empty(store):
    assert not store.load(ID).label
    store.set_label(ID, LABEL)
    store.create(ID, SPEC, "anna")
    assert store.load(ID).label == LABEL
    store.create(COPY, SPEC, "anna", copy_of=ID)
    store.put_json(ID, "answers", {"answers": []})
    store.finish(COPY, RunState.DONE)
    store.replace(ID, COPY)
    assert store.load(ID).label == LABEL and store.load(ID).extra("answers") == {"answers": []}
    (store.root / "runs" / ID / "label.json").write_text("{")
    assert store.load(ID).label == RunLabel()


def test_the_command_line_names_lists_and_filters(store, capsys):
    store.create(COPY, SPEC)
    home = ["--home", str(store.root)]
    assert main(["runs", ID[:16], "--name", "pump 7", "--tags", "june,final", "--note", "whole", *home]) == 0
    assert "pump 7" in capsys.readouterr().out and store.load(ID).label.note == "whole"
    assert main(["runs", ID, "--tags", "", *home]) == 0
    assert store.load(ID).label == RunLabel("pump 7", "whole")
    store.set_label(COPY, LABEL)
    capsys.readouterr()
    main(["runs", "--tag", "june", *home])
    listed = capsys.readouterr().out
    assert COPY in listed and ID not in listed and "june, final" in listed
    assert main(["runs", "--name", "x", *home]) == 1 and "give its id" in capsys.readouterr().err
