# ruff: noqa: E501
"""What the report and a scored file say; see `test_register`."""

from __future__ import annotations

from register.entry import entry

SPEAKERS = (
    "flowlab/serving/recalibration.py",
    "flowlab/serving/report.py",
    "flowlab/serving/scorer.py",
    "flowlab/serving/scoring.py",
)

NO_STATEMENTS: tuple[str, ...] = (
    '\nbody { font: 15px/1.5 "Source Sans 3", "Helvetica Neue", Arial, sans-serif; color: #1B2333; max-width: 60rem;\n  margin: 2rem auto; padding: 0 1rem; }\nh1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }\ntable { border-collapse: collapse; font-variant-numeric: tabular-nums; } .wide { overflow-x: auto; }\nth, td { padding: 2px 10px; border-bottom: 1px solid #E3E7EE; text-align: right; }\nth:first-child, td:first-child { text-align: left; } figcaption { color: #5B6678; }\npre { background: #F4F6F9; padding: 0.75rem; white-space: pre-wrap; }\n',
    "%Y-%m-%d %H:%M UTC",
    "FlowLab detection report, {}.",
    "(?<=\\d)\\\\\\.(?=\\d)|(?<=[^\\d\\s])\\\\\\.(?=\\s|$)",
    '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{}</title><style>{}</style></head><body>{}</body></html>',
)
"""Names of things, markup and invitations to act, which cannot be false."""

ENTRIES = (
    entry(
        "the values of both thresholds and counts of what they flag; the model is the same object's arrays",
        "tests/serving/test_recalibration.py::test_the_rule_is_applied_again_and_nothing_else_changes",
        "The threshold was {} and is now {}; the model and the order of the rows are as they were.",
        "Of {} the old threshold flags {} ({}), the new one {} ({}): {} both.",
        "Its threshold was set anew on {} rows{}",
    ),
    entry(
        "the old rule needs labels, a batch or a rate of arrivals, or there was none; the share is of its validation rows",
        "tests/serving/test_recalibration.py::test_a_threshold_that_scores_alone_do_not_give_keeps_its_share",
        "The old threshold was {}, which these rows alone do not answer; the new one keeps the share of rows, {}, that it flagged where it was chosen.",
        "The old threshold flagged none, or all, of the rows it was chosen on, so there is no share to keep; the new one makes the usual promise.",
    ),
    entry(
        "there were no validation rows, or rows of a series had been divided at random",
        "tests/serving/test_bundle.py::test_a_detector_of_which_nothing_can_be_promised_gives_no_p_values",
        "This detector gives no p-values: the rows its threshold was chosen on promise nothing of new rows.",
    ),
    entry(
        "it is the definition of a threshold",
        "tests/detection/test_sentences.py::test_counts_are_those_above_the_threshold_also_with_ties",
        "Rows with an anomaly score{} of at least {}{} are flagged. {} {}",
        ", or that of their group of {},",
    ),
    entry(
        "rows are labelled, and errors have these prices",
        "tests/serving/test_report.py::test_the_report_is_whole_in_html_and_in_markdown",
        "Where a false alarm costs {} and a missed anomaly {}{}, this threshold costs {} on validation rows and {} on test rows; never to alarm would cost {} and {}.",
        ", a row before the first alarm of its event {}",
    ),
    entry(
        "there are validation rows beside those of training",
        "tests/serving/test_report.py::test_the_report_is_whole_in_html_and_in_markdown",
        "The stability index compares each column with the training rows, and the score with the validation rows: 0 is no shift, from {} on it is a strong one.",
    ),
    entry(
        "the detector has thresholds for groups, and the file a group that they do not name",
        "tests/serving/test_detection.py::test_thresholds_of_groups_travel_in_the_file_and_decide_there",
        "Groups of {} that were never seen take the threshold of all rows.",
    ),
    entry(
        "the table has no labels",
        "tests/serving/test_report.py::test_the_report_says_by_whom_the_threshold_was_chosen_and_on_what",
        "validation rows, which count as normal,",
    ),
    entry(
        "a person gave the value",
        "tests/serving/test_report.py::test_the_report_says_by_whom_the_threshold_was_chosen_and_on_what",
        "was set by hand, is checked on",
    ),
    entry(
        "there are validation rows",
        "tests/serving/test_report.py::test_the_report_says_by_whom_the_threshold_was_chosen_and_on_what",
        "{} validation rows, which a training in steps used only to keep its best weights, and is reported on {} test rows, which had no part in it",
    ),
    entry(
        "folds stand in for rows set aside",
        "tests/serving/test_folds.py::test_the_report_says_what_the_threshold_was_chosen_on",
        "{} rows, each scored by the one of {} models that was not fitted to it, and is reported on {} test rows, which had no part in it",
        "of these, which count as normal,",
    ),
    entry(
        "there are no validation rows",
        "tests/detection/test_coverage.py::test_without_validation_rows_nothing_is_promised",
        "rows that the model was fitted to, as there are no others",
    ),
    entry(
        "it counts the calibration rows",
        "tests/serving/test_report.py::test_the_report_says_by_whom_the_threshold_was_chosen_and_on_what",
        "It {} {}. Of {} {} {} % lie above {}.",
    ),
    entry(
        "it is the condition under which the others hold",
        "tests/detection/test_conformal.py::test_the_promised_rate_is_kept_over_200_repetitions",
        "{} All of this holds for rows from the same source; after a change there, choose it again.",
    ),
)
