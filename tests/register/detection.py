# ruff: noqa: E501
"""What threshold rules, promises and drift say; see `test_register`."""

from __future__ import annotations

from register.entry import entry

SPEAKERS = (
    "flowlab/detection/*.py",
    "flowlab/dashboard/detect/*.py",
    "flowlab/dashboard/score/*.py",
)

NO_STATEMENTS: tuple[str, ...] = (
    "-log tail probability within the level of {} (nats)",
    "Price of a false alarm",
    "Price of a missed row",
    "Price of a late row",
    "The threshold that costs least, given prices of false alarms, missed and late rows.",
    "The best balance of precision and recall.",
    "Catches most while this share of alarms is right.",
    "Flags the highest scores, a fixed share of rows.",
    "As many alarms as people can look at.",
    "A promise on how often normal rows are flagged, for any model (split conformal).",
    "False share of the flagged",
    "Bounds the share of false alarms among the flagged rows of a batch (Benjamini-Hochberg).",
    "Extends the tail beyond the data by a generalised Pareto distribution (peaks over threshold).",
    "Far above the median, measured in median absolute deviations.",
    "Tukey's fence: far above the upper quartile.",
    "Least probability of the upper group",
    "Cuts between two groups of scores, if there are two (Gaussian mixture).",
    "Share of rows looked at",
    "Where the curve of sorted scores bends upward.",
    "Precision, recall and the rate of anomalies will stand here after the first answer.",
    "rows that raise an alarm",
    "Anomaly scores of validation and test rows, counts on a logarithmic scale, with the threshold",
    "Precision against recall with the operating point of the threshold",
    "Here every row gets a score, and a threshold decides which rows are flagged.",
    "anomaly score, negative log-density (nats)",
    "Set by hand, judged on both.",
    "text-align:right;padding:1px 0 1px 10px;font-variant-numeric:tabular-nums;white-space:nowrap",
    '<th scope="col" style="{};font-weight:600">{}</th>',
    '<tr><th scope="row" style="text-align:left;font-weight:400;padding:1px 0">{}</th>{}</tr>',
    '<table style="width:100%;border-collapse:collapse;font-size:0.92rem"><tr><td></td>{}</tr>{}</table>',
    "Rows flagged by both rules, of those flagged by either",
    "CSV, TSV, gzip or ZIP of them, .xlsx, .xls, .ods, JSON records, Parquet, Feather; pictures: PNG, JPEG, ZIP, NPZ",
    "Choose a file with the same columns, or several",
    "Choose a picture, a ZIP or NPZ of pictures, or a table of their pixels",
    "{}; every row gets a score, percentile, p-value and flag.",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "The most similar training rows",
    "Stability index of the score: {}",
    "A detector file comes from the Detect page or from `python -m flowlab train`.",
    "The present run is not trained yet: [train it]({}), or choose a detector file.",
    "This is not a detector file; choose one that FlowLab saved.",
    "Cells that do not fit their column ({})",
    "Shift since training, per {} and for the score",
    "Add answers from a file",
    "Ask the most telling row",
    "There is nothing to learn from yet: answer yes or no above.",
    "Why each row is flagged, and rows alike in that",
    "cells that do not fit",
    "\\s*(?P<column>.+?)\\s*(?P<sign><=|>=|!=|=|<|>)\\s*(?P<value>.+?)\\s*",
    "\\s*(?P<column>.+?)\\s+is\\s+(?P<not>not\\s+)?missing\\s*",
    "Each row is judged together with rows before it, so a row alone cannot be tried out.",
    "This detector holds no rows to compare with, so it gives no reasons; save it again.",
)
"""Names of things, markup and invitations to act, which cannot be false."""

ENTRIES = (
    entry(
        "a file of that format is made of the scored rows",
        "tests/serving/test_scored_rows.py::test_each_format_has_the_same_rows",
        "Excel: a workbook with dates as dates and numbers as numbers. CSV for Excel: opened by a double click, with the delimiter and decimal sign of the uploaded file. Plain CSV has the cells as they were written, Parquet the types.",
    ),
    entry(
        "counts of the answers that are yes or no; fewer than five of either kind leave the estimate out",
        "tests/detection/test_learned.py::test_few_answers_give_no_estimate",
        "Learned from {} yes and {} no.",
        "{} Whether that ranks better can be told from {} answers of each kind on.",
    ),
    entry(
        "at least five answers of each kind; every one is ranked by a fit to answers of other folds",
        "tests/detection/test_learned.py::test_twenty_answers_tell_two_groups_apart_and_the_estimate_says_so",
        "{} Among the {}, each ranked without its own answer, average precision is {} instead of {}; 95 % of resamples "
        "of these rows differ by {} to {}. {}",
    ),
    entry(
        "where nought lies against the interval of the resampled differences",
        "tests/detection/test_learned.py::test_answers_by_chance_are_seldom_called_better",
        "That is better by more than chance.",
        "That is no clear difference.",
        "That is worse by more than chance: keep to the detector's own score.",
    ),
    entry(
        "rows among as many highest of the learned score as are flagged that the detector's own score does not flag",
        "tests/dashboard/test_page_detect.py::test_what_was_learned_from_answers_stands_beside_the_detectors_own_order",
        "Of the {}, {} would be others. Flags, threshold and promises keep to the detector's own score.",
    ),
    entry(
        "rows are pictures; the numbers are the contributions of `explain`, at their pixels",
        "tests/views/test_picture_views.py::test_pixels_that_are_unlike_those_of_similar_pictures_add_most",
        "Right: how far the anomaly score falls when a pixel gets the value it has in pictures like this one. Below: the training rows that resemble it most.",
    ),
    entry(
        "pictures are of another shape than those that the detector was trained on, and were not scaled",
        "tests/dashboard/test_page_images.py::test_a_table_of_other_pixels_is_refused",
        "These pictures have {}; the detector has learned {} x {}.",
    ),
    entry(
        "calibration rows are normal and independent, or counted as fewer; the threshold is any",
        "tests/detection/test_certificate.py::test_no_threshold_exceeds_its_bound_in_the_stated_share_of_calibration_sets",
        "Even if it was picked after looking, this threshold flags at most {} of normal rows, with {} confidence for "
        "all thresholds together.",
    ),
    entry(
        "the bet against the promised share has reached one over the stated error",
        "tests/detection/test_monitor.py::test_a_doubled_share_is_found_soon_and_placed_where_it_began",
        "The promise of at most {} flagged rows has been broken since about row {}, found at row {}; {}; {}.",
    ),
    entry(
        "the bet against the promised share has not reached one over the stated error",
        "tests/detection/test_monitor.py::test_streams_that_keep_the_promise_are_called_broken_no_more_often_than_stated",
        "The promise of at most {} flagged rows is in keeping with what was seen: {}; {}.",
        "a promise that holds is called broken, ever, with a chance of at most {}",
        "{} of {} rows so far are flagged",
    ),
    entry(
        "the edited row's own score against the threshold that stands",
        "tests/dashboard/test_page_detect.py::test_what_if_judges_the_edited_row",
        "{}, the score is **{}** (was {}): **{}**.",
    ),
    entry(
        "the painted picture's own score against the threshold that stands, and among the normal validation rows",
        "tests/dashboard/test_page_images.py::test_a_flagged_picture_can_be_painted_on",
        "{}, its score is **{}** (was {}): **{}**. {} of normal validation rows score lower.",
    ),
    entry(
        "no rule could choose a threshold on the validation rows",
        "tests/dashboard/test_alternative_texts.py::test_the_rules_named_are_those_at_the_ends",
        "No rule gives a threshold",
    ),
    entry(
        "the estimates at the present threshold, from at least one answer",
        "tests/detection/test_audit.py::test_intervals_cover_the_truth",
        "Audited precision and recall against the threshold; where it stands, {} and {}",
    ),
    entry(
        "answers are of rows drawn at random within strata of the score",
        "tests/detection/test_audit.py::test_intervals_cover_the_truth",
        "| at this threshold | estimate | 95 % interval |",
    ),
    entry(
        "the columns, or the scores, of neighbouring rows resemble each other; the number is that of independent rows",
        "tests/detection/test_coverage.py::test_a_promise_in_a_series_holds_or_is_not_said",
        ", which follow each other and are worth {} independent ones",
    ),
    entry(
        "fewer independent normal rows than the promise needs are outside training",
        "tests/detection/test_sentences.py::test_a_refusal_names_how_many_rows_are_enough",
        "A promise of at most {} false alarms needs at least {} normal rows outside training; there are {}{}. The smallest rate they can promise is {}.",
    ),
    entry(
        "no confidence is asked for",
        "tests/detection/test_conformal.py::test_the_promised_rate_is_kept_over_200_repetitions",
        "on average over calibration sets",
    ),
    entry(
        "normal rows outside training are independent, or counted as the independent rows they are worth",
        "tests/detection/test_coverage.py::test_a_promise_in_a_series_holds_or_is_not_said",
        "At most {} of normal rows are flagged, {}, whatever the model: {} normal rows were set aside{} and {} of them lie above the threshold. For the present set the rate is, with 95 % confidence, at most {}. It holds for {} from the same source.",
    ),
    entry(
        "all rows are labelled anomalies",
        "tests/detection/test_sentences.py::test_each_refusal_is_said_where_its_reason_holds_and_flags_nothing",
        "No row is labelled normal, so there is nothing to compare with.",
    ),
    entry(
        "no p-value of the batch passes the step of Benjamini and Hochberg",
        "tests/detection/test_sentences.py::test_false_discovery_says_what_set_of_rows_it_would_take",
        "No set of rows can be flagged with at most {} false among them. With {} normal rows the smallest p-value is {}, ",
    ),
    entry(
        "that many p-values of the smallest kind would pass",
        "tests/detection/test_sentences.py::test_false_discovery_says_what_set_of_rows_it_would_take",
        "so at least {} of {} rows would have to lie above all of them.",
    ),
    entry(
        "the smallest p-value would not pass if all rows had it",
        "tests/detection/test_sentences.py::test_false_discovery_says_what_set_of_rows_it_would_take",
        "too large for any of {} rows; {} normal rows or more are needed.",
    ),
    entry(
        "all rows of the batch pass",
        "tests/detection/test_sentences.py::test_false_discovery_says_what_set_of_rows_it_would_take",
        "{} Every row of the batch lies apart from the normal rows.",
    ),
    entry(
        "it is said of the batch that the rule was run on, with independent rows",
        "tests/detection/test_conformal.py::test_false_discoveries_stay_under_the_promise",
        "Flags {} of {} rows; at most {} of the flagged are expected to be normal (Benjamini-Hochberg, against {} normal rows).",
    ),
    entry(
        "the calibration rows have no labels",
        "tests/detection/test_sentences.py::test_each_caution_is_said_where_its_reason_holds",
        "Without labels all rows count as normal; anomalies among them raise the threshold.",
    ),
    entry(
        "the threshold leaves its batch in a detector file",
        "tests/detection/test_sentences.py::test_a_false_discovery_threshold_does_not_carry_its_promise_to_other_files",
        "Chosen by the false-discovery rule for one batch of rows, and fixed since: what share of the rows it flags in another file is normal is not known.",
    ),
    entry(
        "no two scores differ",
        "tests/detection/test_sentences.py::test_each_refusal_is_said_where_its_reason_holds_and_flags_nothing",
        "All {} scores equal {}: no threshold tells rows apart.",
        "All {} scores equal {}: no row is higher.",
    ),
    entry(
        "the index is 0.25 or more, and as large by chance in at most 5 % of files, all tests together",
        "tests/detection/test_drift.py::test_of_files_without_drift_one_in_twenty_is_told_anything",
        "The scores have shifted strongly since training (stability index {}); train again on newer rows.",
    ),
    entry(
        "the index is 0.25 or more, and as large by chance in at most 5 % of files, all tests together",
        "tests/detection/test_drift.py::test_the_shift_that_would_have_been_seen_is_seen_in_nine_of_ten_files",
        "{} has shifted strongly (stability index {}).",
    ),
    entry(
        "no shift of up to five standard deviations would be named in nine of ten files",
        "tests/detection/test_drift.py::test_a_few_rows_are_told_that_hardly_any_shift_would_be_seen",
        "With {} rows hardly any shift of a single column would have been seen.",
    ),
    entry(
        "nothing was found; simulated files with that shift are told of it in nine of ten cases",
        "tests/detection/test_drift.py::test_the_shift_that_would_have_been_seen_is_seen_in_nine_of_ten_files",
        "No strong shift was found; a column whose mean had moved by {} standard deviations would have been named in 9 of 10 files of {} rows.",
    ),
    entry(
        "the flagged share differs by more than chance, all tests of the file together",
        "tests/detection/test_drift.py::test_flagged_rows_of_the_same_source_are_seldom_called_others",
        "{} of these rows are flagged; of the rows the threshold was chosen on it were {}",
    ),
    entry(
        "more rows are flagged than chance allows",
        "tests/detection/test_drift.py::test_flagged_rows_are_told_in_both_directions_and_only_with_evidence",
        "{}. Anomalies are more frequent, or normal rows have changed: then a promise on their false alarms is broken. Look at some, and train again on newer rows.",
    ),
    entry(
        "fewer rows are flagged than chance allows",
        "tests/detection/test_drift.py::test_flagged_rows_are_told_in_both_directions_and_only_with_evidence",
        "{}. A promise of few false alarms is kept, but the rows are others; train again on newer rows.",
    ),
    entry(
        "fewer than twenty scores lie above the start",
        "tests/detection/test_sentences.py::test_each_refusal_is_said_where_its_reason_holds_and_flags_nothing",
        "A tail is fitted to at least {} rows; {} of {} lie above the start. About {} rows with distinct scores are needed, or an earlier start.",
    ),
    entry(
        "the fitted shape is 1 or more",
        "tests/detection/test_rules.py::test_every_rule_answers_or_refuses_in_words_and_never_flags_everything",
        "{} The tail is so heavy (shape {}) that the value is a guess.",
    ),
    entry(
        "rows are independent, or counted as the independent rows they are worth; the interval is exact for any tail",
        "tests/detection/test_coverage.py::test_the_achieved_rate_of_the_extreme_value_rule_lies_in_its_interval",
        "A generalised Pareto tail ({}, shape {}) fitted to the {} highest of {} rows puts {} of them above this value; {} are. Of new rows like them between {} and {} will be (95 % confidence, any tail).",
    ),
    entry(
        "it is the cost of these rows",
        "tests/detection/test_sentences.py::test_costs_and_f_scores_are_those_of_the_rows",
        "Least cost on {} rows{}: {}, from {} false alarms at {} and {} missed at {}",
        ". Never alarming would cost {}.",
    ),
    entry(
        "the rows are scattered, and alarms on the rows beside them count as the tolerance says, whatever their part",
        "tests/detection/test_coverage.py::test_a_cost_with_a_tolerance_sees_the_rows_of_all_parts",
        ", judged beside their neighbours in all parts",
    ),
    entry(
        "flagging all of these rows costs less than the threshold",
        "tests/detection/test_sentences.py::test_each_caution_is_said_where_its_reason_holds",
        "Flagging every row would cost less ({}): at these prices the scores do not help.",
    ),
    entry(
        "the least cost is that of no alarm",
        "tests/detection/test_sentences.py::test_each_caution_is_said_where_its_reason_holds",
        "No threshold is cheaper than never alarming.",
    ),
    entry(
        "no threshold has a higher F-beta than flagging all rows",
        "tests/detection/test_sentences.py::test_each_refusal_is_said_where_its_reason_holds_and_flags_nothing",
        "Flagging every row reaches F{} {}, and no threshold on {} rows does better: the scores do not tell these anomalies apart.",
    ),
    entry(
        "it is said of the rows that chose the threshold",
        "tests/detection/test_sentences.py::test_new_rows_do_worse_than_the_rows_that_chose_the_f_score",
        "Highest F{} on {} rows: {}, with precision {} and recall {}. New rows will as a rule do worse: these chose it.",
    ),
    entry(
        "at none of the sizes tried the lower end of the exact interval reaches the asked precision",
        "tests/detection/test_coverage.py::test_the_asked_precision_is_missed_in_at_most_five_of_a_hundred",
        "{} rows with {} anomalies do not show a precision of at least {} with 95 % confidence; at most {} is sure. It takes at least {} flagged rows, all of them anomalies. Ask for less precision.",
    ),
    entry(
        "a precision of 1 is asked for",
        "tests/detection/test_sentences.py::test_each_caution_is_said_where_its_reason_holds",
        "No number of rows shows that every alarm will be right. Ask for a precision below 1.",
    ),
    entry(
        "the lower end of an exact 95 % interval reaches it at every size up to the chosen one",
        "tests/detection/test_coverage.py::test_the_asked_precision_is_missed_in_at_most_five_of_a_hundred",
        "Precision of at least {} with 95 % confidence, from {} rows: {} of them are flagged with precision {} (at least {} on new rows) and recall {}.",
    ),
    entry(
        "there are no labels",
        "tests/detection/test_sentences.py::test_each_refusal_is_said_where_its_reason_holds_and_flags_nothing",
        "This rule needs labels; choose one that works on scores alone.",
    ),
    entry(
        "no row is labelled an anomaly",
        "tests/detection/test_sentences.py::test_each_refusal_is_said_where_its_reason_holds_and_flags_nothing",
        "None of the {} rows is labelled an anomaly, so nothing says where alarms should begin. A promise on false alarms or a review budget needs no anomalies.",
    ),
    entry(
        "every row is labelled an anomaly",
        "tests/detection/test_sentences.py::test_each_refusal_is_said_where_its_reason_holds_and_flags_nothing",
        "All {} rows are labelled anomalies, so nothing says where normal ends.",
    ),
    entry(
        "the group's calibration rows and new rows of the group are exchangeable",
        "tests/detection/test_groups.py::test_the_promise_holds_in_each_group_where_the_threshold_of_all_rows_breaks_it",
        "{} of {} groups of {} have a threshold of their own: in each of these at most {} of normal rows are flagged, {}, whatever the model. It holds for rows from the same source.",
    ),
    entry(
        "a group has fewer rows than its own promise takes, or was never seen",
        "tests/detection/test_groups.py::test_small_and_unseen_groups_borrow_and_the_sentence_counts_them",
        "the threshold of all rows, {}, which promises nothing for one group alone",
        "A group that was never seen takes {}.",
        "Groups too small for that borrow {}: {}. Their own would take {} independent normal rows outside training whose scores differ. A group that was never seen borrows it too.",
    ),
    entry(
        "groups have thresholds of their own",
        "tests/detection/test_groups.py::test_the_strangest_group_is_first_and_two_odd_rows_do_not_make_one",
        "flagged by the threshold of all rows (%)",
        "Validation and test rows. The strangest group stands first: by the lower end of the exact 95 % interval of the share that the threshold of all rows flags.",
    ),
    entry(
        "a level has fewer than 100 training rows",
        "tests/detection/test_levels.py::test_summary_and_scored_table_name_small_and_unseen_levels",
        "Levels of {} with fewer than {} training rows are judged partly among the rows of all levels: {}{}.",
    ),
    entry(
        "a level has no training row",
        "tests/detection/test_levels.py::test_summary_and_scored_table_name_small_and_unseen_levels",
        "Levels of {} without training rows are judged among the rows of all levels.",
    ),
    entry(
        "a person gave the value",
        "tests/detection/test_rules.py::test_agreement_is_the_overlap_of_flagged_rows",
        "Set by hand to {}.",
    ),
    entry(
        "no row is held out for validation",
        "tests/detection/test_coverage.py::test_without_validation_rows_nothing_is_promised",
        "There are no validation rows: the rows that the model was fitted to stand in for them.",
        "{} They promise nothing of new rows; hold some out.",
    ),
    entry(
        "nothing can be promised of new rows",
        "tests/detection/test_coverage.py::test_without_validation_rows_nothing_is_promised",
        "{} There are no p-values either.",
    ),
    entry(
        "rows are a series and the parts are scattered",
        "tests/detection/test_coverage.py::test_a_promise_in_a_series_holds_or_is_not_said",
        "Rows resemble the rows next to them, and these are divided at random: validation rows have their neighbours in training, which new rows will not. So nothing can be promised; divide the rows by time or in their order.",
    ),
    entry(
        "rows are a series and the parts are stretches",
        "tests/detection/test_coverage.py::test_independent_rows_are_no_series_also_where_they_are_sorted_into_groups",
        "Rows resemble the rows next to them; the false-discovery rate is promised for independent rows.",
    ),
    entry(
        "it is a fact about resamples of these rows",
        "tests/detection/test_coverage.py::test_an_interval_of_a_threshold_holds_its_share_of_resamples",
        "In 95 % of resamples of these rows it lies between {low} and {high}; other rows can move it further.",
        "The thresholds of 95 % of resamples of the validation rows flag between {} and {} of the test rows.",
        "Where each rule puts the threshold, where 95 % of resamples put it, and the share of test rows it flags",
    ),
    entry(
        "the table has no column of dates",
        "tests/detection/test_coverage.py::test_a_budget_without_dates_says_that_the_arrivals_are_assumed",
        "if {} arrive, which no dates tell",
    ),
    entry(
        "it is the centre and spread of these scores",
        "tests/detection/test_rules.py::test_every_rule_finds_anomalies_that_stand_apart",
        "{} robust standard deviations above the median ({}), by the {}.",
        "{} interquartile ranges above the third quartile ({}).",
    ),
    entry(
        "fewer than 30 rows, or than 5 distinct scores",
        "tests/detection/test_sentences.py::test_each_refusal_is_said_where_its_reason_holds_and_flags_nothing",
        "Two groups need at least 30 rows with 5 distinct scores; there are {} rows with ",
    ),
    entry(
        "the BIC of two groups is better by less than 10",
        "tests/detection/test_sentences.py::test_each_refusal_is_said_where_its_reason_holds_and_flags_nothing",
        "one group describes them as well as two",
    ),
    entry(
        "the upper group holds half of the rows or more",
        "tests/detection/test_sentences.py::test_each_refusal_is_said_where_its_reason_holds_and_flags_nothing",
        "the higher of two groups holds {} of them",
    ),
    entry(
        "Ashman's distance of the groups is below 2",
        "tests/detection/test_sentences.py::test_each_refusal_is_said_where_its_reason_holds_and_flags_nothing",
        "two groups overlap (distance {}, 2 is needed)",
    ),
    entry(
        "one of three reasons against two groups holds",
        "tests/detection/test_sentences.py::test_each_refusal_is_said_where_its_reason_holds_and_flags_nothing",
        "No small high group of scores in {} rows: {}.",
    ),
    entry(
        "the fitted mixture reaches the probability nowhere",
        "tests/detection/test_sentences.py::test_a_mixture_that_no_row_fits_so_surely_refuses",
        "In {} rows no score belongs to the upper group with probability {} or more.",
    ),
    entry(
        "by the fitted mixture, up to its second crossing where there is one",
        "tests/detection/test_coverage.py::test_rows_of_the_upper_group_are_as_likely_as_is_said",
        "The scores fall into two groups; the upper holds {} of {} rows around {}, and by the fit rows above this value{} belong to it with probability {} or more.",
    ),
    entry(
        "the upper group is the narrower one",
        "tests/detection/test_coverage.py::test_rows_of_the_upper_group_are_as_likely_as_is_said",
        "Rows beyond that fit the lower, wider group better; they are flagged all the same.",
    ),
    entry(
        "fewer than five scores that differ",
        "tests/detection/test_sentences.py::test_each_refusal_is_said_where_its_reason_holds_and_flags_nothing",
        "A knee needs at least 5 scores that differ; {} are looked at.",
    ),
    entry(
        "the largest bend is within that of equally spaced scores",
        "tests/detection/test_sentences.py::test_each_refusal_is_said_where_its_reason_holds_and_flags_nothing",
        "The sorted scores rise evenly (largest bend {}): there is no knee to cut at.",
    ),
    entry(
        "the largest bend is beyond that of equally spaced scores",
        "tests/detection/test_sentences.py::test_counts_are_those_above_the_threshold_also_with_ties",
        "Sorted scores bend upward most here (bend {} of 1); {} of {} rows lie beyond.",
    ),
    entry(
        "the share of the rows is less than one row",
        "tests/detection/test_sentences.py::test_a_refusal_names_how_many_rows_are_enough",
        "{} of {} rows is less than one row; at least {} rows are needed.",
    ),
    entry(
        "it counts these rows",
        "tests/detection/test_sentences.py::test_counts_are_those_above_the_threshold_also_with_ties",
        "Flags {}: {} of {} rows here.",
        " {} of {} rows lie there.",
        "{} of {} lie above the threshold",
    ),
    entry(
        "as many rows can be reviewed as arrive",
        "tests/detection/test_sentences.py::test_each_caution_is_said_where_its_reason_holds",
        "Every row can be reviewed; only the lowest scoring are left out.",
    ),
    entry(
        "scores tie at the border",
        "tests/detection/test_sentences.py::test_each_caution_is_said_where_its_reason_holds",
        "Equal scores at the border: {} rows are flagged instead of {}.",
    ),
    entry(
        "half of the scores are equal",
        "tests/detection/test_sentences.py::test_each_refusal_is_said_where_its_reason_holds_and_flags_nothing",
        "The middle half of {} scores is equal: there is no spread to measure by.",
    ),
    entry(
        "no score reaches the threshold",
        "tests/detection/test_scored_table.py::test_rows_are_ranked_once_and_flagged_by_any_threshold",
        "No row reaches the threshold. Lower it, or choose another rule.",
        "The rows that come nearest to it:",
    ),
    entry(
        "more rows are flagged than are shown",
        "tests/detection/test_scored_table.py::test_rows_are_ranked_once_and_flagged_by_any_threshold",
        "The {} highest of {} flagged rows; the download has all.",
    ),
    entry(
        "values of fresh rows lie in the range in 80 of 100 cases, of few rows in more",
        "tests/explain/test_reasons_hold.py::test_the_usual_range_holds_the_share_it_states",
        "Usual: the range in which about 80 % of rows like this one lie, or their commonest categories, by the 24 training rows that resemble it most in all other columns.",
    ),
    entry(
        "rows are drawn at random within strata",
        "tests/detection/test_audit.py::test_intervals_cover_the_truth",
        "Nobody labelled these rows? Look at about twenty, chosen near the threshold and at random, and say whether each is an anomaly. The estimates then hold for every threshold, with intervals. Labels are not used here.",
    ),
    entry(
        "a rule chose the threshold",
        "tests/detection/test_scored_table.py::test_thresholds_are_chosen_on_validation_and_reported_on_test",
        "Chosen on validation rows, reported on test rows.",
    ),
    entry(
        "it counts labelled events of the test rows",
        "tests/detection/test_rules.py::test_late_rows_and_delays",
        "Test rows: {} of {} raise an alarm{}.",
    ),
    entry(
        "it is the definition of a threshold",
        "tests/detection/test_sentences.py::test_counts_are_those_above_the_threshold_also_with_ties",
        "rows with a score{} of at least {}{} are flagged",
        ", or the threshold of their group of {},",
    ),
)
