"""What the check-up before training says of a table; see `test_register`."""

from __future__ import annotations

from register.entry import entry

SPEAKERS = ("flowlab/datasets/case.py", "flowlab/datasets/checkup.py")

NO_STATEMENTS: tuple[str, ...] = ()
"""Names of things and invitations to act, which cannot be false."""

TOLD = "tests/datasets/test_checkup.py::test_a_table_with_the_trouble_is_told_and_one_without_it_is_not"
CASE = "tests/datasets/test_case.py::test_labels_or_a_person_tell_the_case"
ENTRIES = (
    entry(
        "the training rows are known to be normal: by their labels, or by a person",
        CASE,
        "Trained as on rows known to be normal: there are no labels, but somebody said so.",
        "Trained as on rows known to be normal: the rows labelled so{}.",
        "as on rows known to be normal",
    ),
    entry(
        "anomalies may be among the training rows: nobody said otherwise, or all rows were asked for",
        CASE,
        "Trained as on rows with strange ones among them: there are no labels, and nobody said that all are normal.",
        "Trained as on rows with strange ones among them: all rows were asked for, {} too.",
        "as on rows with strange ones among them",
    ),
    entry(
        "a column ranks the labelled rows with an AUROC above 0.999, five rows of each kind at least",
        TOLD,
        "{} anomalies from normal rows: if it is the label by another name, set it to ignore.",
    ),
    entry(
        "three rows or more hold a code that lies one and a half ranges from all other values",
        TOLD,
        "{} is {} in {} of rows, far from all else: is that a missing code?",
    ),
    entry(
        "cells of the label are empty",
        TOLD,
        "{} ({}) without a label {} as normal; leave them out of the file if they may not.",
    ),
    entry(
        "training is on all rows, and some of them are labelled",
        TOLD,
        "{} of the training rows are labelled anomalies; the model learns them too.",
    ),
    entry(
        "fewer than ten labelled anomalies are in that part",
        TOLD,
        "Only {} labelled anomalies are among the {}; shares of them are rough.",
        "validation rows, where thresholds are chosen",
        "test rows, where they are judged",
    ),
    entry(
        "more than half of the rows are labelled",
        TOLD,
        "{} of the rows are labelled anomalies; check which values mean anomaly.",
    ),
    entry(
        "there are fewer than ten training rows a feature, or fewer than 200",
        TOLD,
        "{} training rows for {} features are few; a simple model may do better than a flow.",
        "{} training rows are few; results will differ from seed to seed.",
    ),
    entry(
        "0.2 % of the training rows and five at least lie beyond five robust standard deviations, after encoding",
        "tests/datasets/test_checkup.py::test_the_share_of_far_rows_is_the_one_of_the_training_rows",
        "{} has heavy tails: {} of its training rows lie more than {} robust standard deviations from the median{}. A "
        "spline flow learns such a tail; others call far rows less likely than they are.",
    ),
    entry(
        "a column is empty in more than half of the rows",
        TOLD,
        "{} columns are missing in more than half of the rows, most of all {}.",
        "{} is missing in more than half of the rows.",
    ),
    entry(
        "a twentieth of the rows or more equal another row",
        TOLD,
        "{} of the rows repeat another row; rows of the training part may come back in the test part.",
    ),
)
