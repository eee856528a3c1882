# ruff: noqa: E501
"""What loss answers, the trust badge and comparisons say; see `test_register`."""

from __future__ import annotations

from register.entry import entry

SPEAKERS = ("flowlab/evaluation/*.py", "flowlab/catalog/sweeps.py")

NO_STATEMENTS: tuple[str, ...] = (
    "AUROC of telling them apart",
    "AUROC of the ratio on held-out rows",
    "channels of the narrowest layer",
    "rate (nats) and distortion (squared sd)",
    "negative log-likelihood of held-out rows (nats)",
    "What does this model say of itself?",
    "Is a negative loss an error?",
    "Can the loss fall further?",
    "Why does the validation loss rise?",
    "What was that spike?",
    "What does rolled back mean?",
    "Why does the loss stay so high?",
)
"""Names of things and questions, which cannot be false."""

POWER = "tests/evaluation/test_badge_power.py::"
TRUST = "tests/evaluation/test_trust.py::"
LOSS = "tests/evaluation/test_loss_curve.py::"
COMPARE = "tests/evaluation/test_comparison.py::"

BADGE = (
    entry(
        "the largest error of a round trip is at most 0.001, at most 0.03, or more standard deviations",
        TRUST + "test_a_wrong_inverse_is_caught",
        "Going to the latent space and back returns each row.",
        "Going to the latent space and back loses digits; the scores of far rows are inexact.",
        "Going to the latent space and back does not return the rows: this is no invertible map.",
    ),
    entry(
        "the median difference of score and numerical volume change is within, near or beyond a hundredth of a nat",
        TRUST + "test_a_dropped_log_determinant_is_caught",
        "The volume change in the scores is the one the map makes.",
        "The volume change in the scores is slightly off the one the map makes.",
        "The scores leave out or misstate the volume change of the map: they are no log-densities.",
    ),
    entry(
        "the integral, within three standard errors, is one up to what lies outside the window, off by less than a "
        "sixth, or more; where the error is above 0.15 nothing is said",
        "tests/evaluation/test_mass.py::test_the_mass_of_every_exact_density_is_one_within_its_error",
        "The density sums to {} {}, as a density must.",
        "± {} over the window of the training rows",
    ),
    entry(
        "the integral is off by more than three standard errors and what may lie outside the window",
        "tests/evaluation/test_mass.py::test_a_density_that_is_scaled_is_seen",
        "The density sums to {} {}; some mass is lost or doubled.",
        "The density sums to {} {}, not to 1: these are no densities.",
    ),
    entry(
        "no axis, or so many, depend on one column alone by a fixed scale while that column is not normal",
        TRUST + "test_every_fault_that_the_page_offers_is_caught_by_the_findings_it_names",
        "{} of {} columns pass every layer unchanged, so their shape is not learned: alternate masks.",
        "Every column is transformed, or needs no transformation.",
    ),
    entry(
        "a green finding has fewer held-out rows than would have shown a fit that is red",
        POWER + "test_a_finding_without_power_is_grey_and_says_what_it_would_take",
        "Nothing wrong is seen, but {} held-out rows could hide a bad fit here; about {} would show it.",
    ),
    entry(
        "validation and test rows together are fewer than twenty; training rows never stand in",
        POWER + "test_training_rows_never_stand_in_for_held_out_ones",
        "There are too few held-out rows to measure the fit on; {} are needed, about 1,400 to call it good.",
        "Training rows score far better than held-out rows: the model has memorised them.",
    ),
    entry(
        "the distance is below 0.04 widened by the 99.9 % quantile of its luck, and 0.12 would have been seen",
        POWER + "test_with_the_rows_it_asks_for_a_latent_axis_that_is_far_off_is_seen",
        "Each latent axis looks standard normal.",
        "Distances from the latent centre follow the chi distribution.",
    ),
    entry(
        "the distance is above 0.04, or 0.12, by more than its luck",
        POWER + "test_a_true_density_is_seldom_called_rough_and_never_poor",
        "A latent axis is visibly not standard normal: the fit is rough.",
        "A latent axis is far from standard normal: the flow has not learned the shape of the data.",
        "Distances from the latent centre stray from the chi distribution.",
        "Distances from the latent centre do not follow the chi distribution: the fit is poor.",
    ),
    entry(
        "as many held-out rows lie among the least likely thousandth of the model's own draws as their luck allows, and "
        "ten times as many would have been seen",
        POWER + "test_tails_ten_times_as_heavy_are_seen_with_the_rows_it_asks_for_and_named",
        "Far rows are about as common as the model says: {}.",
        "{} of {} held-out rows lie where the model expects {}",
    ),
    entry(
        "surely more held-out rows, or surely five times as many, lie there",
        POWER + "test_a_model_with_light_tails_on_t2_is_never_green_and_the_tails_are_named",
        "The data have heavier tails than the model: {}",
        "The data have far heavier tails than the model: {}",
        ", mostly through {}. Scores of far rows are too low.",
    ),
    entry(
        "held-out rows score lower by at most 0.05, by up to 0.25 nats a column beyond twice the standard error",
        POWER + "test_a_true_density_is_seldom_called_rough_and_never_poor",
        "Held-out rows score like training rows.",
        "Training rows score better than held-out rows: some of the fit is memory.",
    ),
    entry(
        "some draw is not finite or beyond 1e100",
        TRUST + "test_an_untrained_flow_is_not_trusted",
        "Samples contain values that are not finite, or absurdly large.",
    ),
    entry(
        "the AUROC of boosted trees, each row judged by others, is below, above 0.56 or above 0.75 by more than its luck",
        POWER + "test_with_the_rows_it_asks_for_a_gaussian_in_the_place_of_a_shape_is_told_by_its_samples",
        "A classifier can hardly tell samples from held-out rows.",
        "A classifier sees a difference between samples and held-out rows.",
        "A classifier easily tells samples from held-out rows: do not use them as data.",
    ),
    entry(
        "the paired lead of one Gaussian or a kernel density on held-out rows is below, above 0.05 or above 0.25 nats a "
        "column by three standard errors",
        POWER + "test_no_good_model_is_red_and_no_bad_one_green",
        "No simple density fits held-out rows much better.",
        "{} fits held-out rows better: this model misses a part of their shape.",
        "{} fits held-out rows far better: this model has not learned their shape.",
    ),
    entry(
        "the mean score on draws of the truth is above that of the truth by more than four standard errors",
        POWER + "test_scores_above_the_truth_are_no_densities",
        "Scores claim {} nats more than the truth, which no density can: they are none.",
    ),
    entry(
        "the exact density is known, and the model stands up to 0.05, up to 0.25 or more nats a column above it",
        POWER + "test_the_known_gap_is_a_finding",
        "The density is {}: as near as a good fit comes.",
        "The density is {}: the fit is rough.",
        "The density is {}: the shape of the data is not learned.",
    ),
)
ANSWERS = (
    entry(
        "the loss is a mean negative log-density, no bound, and below 0",
        LOSS + "test_row_39_a_negative_loss_is_answered_with_the_numbers_of_the_run",
        "No: a density is not a probability. It is probability per unit of volume and exceeds 1 wherever the rows are "
        "dense; the loss, its mean negative logarithm, is then below 0, here since step {}. The {} is {} nats, or {} bits "
        "per dimension.{}",
    ),
    entry(
        "so many columns are plain numbers: categories and squashed columns do not scale",
        LOSS + "test_only_columns_that_scale_count_in_a_change_of_units",
        " It depends on the units: with {} multiplied by 10, the same model's loss is {} nats higher ({} ln 10), {}. "
        "Compare losses only in the same units.",
    ),
    entry(
        "the finished run's paired gap on fresh draws is below 0.01 nats a column by two standard errors",
        LOSS + "test_the_entropy_is_met_only_by_models_that_are_near",
        "Hardly: the model stands {} (± {}, one standard error on fresh draws), and no model, however large, has a lower "
        "mean loss than the truth: the entropy of the data, {} nats.",
    ),
    entry(
        "the last three validation losses are above the best by a visible amount while the training loss fell on",
        LOSS + "test_over_fitting_names_the_best_step",
        "The model over-fits: since step {} the training loss fell by {}, the validation loss rose by {} {}, from {} to "
        "{}. The weights of step {}, the best on validation rows, are the ones kept. More rows help most; else fewer "
        "layers, a smaller width, or more weight decay.",
    ),
    entry(
        "a training loss jumped above the level and the scatter of the stretches before it",
        LOSS + "test_row_39_a_spike_that_recovers_and_one_that_does_not",
        "In the stretch {} the training loss jumped by {} {}, to {}. {}",
        "By step {} it was back where it had been: one unlucky batch or one step too long.",
        "It is the newest stretch; whether it recovers will show.",
        "It has not come back since. A smaller learning rate makes such steps shorter.",
    ),
    entry(
        "an event of the run says that it was rolled back",
        LOSS + "test_a_roll_back_says_what_was_done_and_where_to_look",
        " Likely cause: {} Look at that column first.",
        "A {} that was not finite, {}, last before step {}. Such a step is not taken: the best weights so far return and "
        "the learning rate is halved for the rest of the run.{}",
    ),
    entry(
        "the loss is flat at its end, a quarter of a nat a column above the entropy, on training rows too",
        LOSS + "test_a_model_that_cannot_stretch_is_told_from_one_that_needs_time",
        "The model stands {}. ",
    ),
    entry(
        "hardly anything was gained since the first fifth of the steps, most of it at a high learning rate",
        LOSS + "test_where_more_steps_are_called_useless_four_times_as_many_are",
        "Since step {}, most of it at a high learning rate, the loss fell by {} nats only: more steps alone would not "
        "close that. This model, as it is set, does not take the shape of these data: give it more layers, or another.",
    ),
    entry(
        "the end is flat, but more was gained on the way",
        LOSS + "test_a_flat_end_alone_never_says_that_more_steps_are_useless",
        "That the curve is flat at its end shows only that the learning rate falls to zero there: more steps, more layers "
        "or another model may come nearer.",
    ),
)
COMPARISONS = (
    entry(
        "no model leads the rival by either measure beyond the paired noise, and both its measures are 0.95 or more",
        COMPARE + "test_a_rival_that_is_worse_by_more_than_the_noise_does_not_solve_it",
        "{} already solves this ({}); on these rows {} adds nothing that shows ({}).",
    ),
    entry(
        "no model leads the rival by either measure beyond the paired noise; a single column is chosen on validation rows",
        COMPARE + "test_a_column_chosen_on_validation_rows_does_not_beat_the_best_detector_by_chance",
        "No model beats the one-line rival {} ({}) by more than the noise; the best, {}, reaches {}.",
        " The best one-line rival, {}, reaches {}.",
    ),
    entry(
        "the first by AUROC is led by another in average precision beyond the paired noise",
        COMPARE + "test_detectors_that_differ_among_the_highest_scores_are_not_called_equal",
        "{} ranks best over all rows ({}), {} among the highest scores ({}): which detects better depends on how many "
        "rows are looked at.{}",
    ),
    entry(
        "neither leads by AUROC or by average precision beyond the paired noise",
        COMPARE + "test_of_equal_detectors_none_is_called_better_beyond_the_level",
        "{} ({}) and {} ({}) cannot be told apart on these rows.{}",
    ),
    entry(
        "there are no labels, and no scores that are log-densities",
        COMPARE + "test_best_comes_first_and_without_labels_likelihood_decides",
        "Without labels and without a density nothing ranks these models; look at the rows they disagree on.",
        "Without labels nobody knows which model detects best.",
        "{} ({}) and {} give held-out rows likelihoods that cannot be told apart, the highest{}. {}",
        "{} gives held-out rows the highest likelihood{} ({}). {}",
    ),
    entry(
        "log-densities are given a context or with it, bounds, or differ in how constant columns are taken",
        COMPARE + "test_likelihoods_of_different_things_are_not_ranked_together",
        "The log-likelihoods of these models are of different things, so they are not ranked. {}",
        " of those that are of the same",
    ),
    entry(
        "that is what the model's log-density is of",
        COMPARE + "test_what_a_likelihood_is_of_is_said_by_model_and_table",
        "with a constant column, as {} takes it",
        "with the context as a number",
    ),
)
SWEEPS = (
    entry(
        "the networks of a coupling have no hidden layer",
        "tests/teaching/test_coupling.py::test_row_16_without_a_hidden_layer_scale_and_shift_are_linear",
        "Without a hidden layer a coupling's scale and shift are linear in what it reads.",
    ),
    entry(
        "the swept model is of couplings, or autoregressive",
        "tests/catalog/test_sweeps.py::test_the_sweep_of_layers_speaks_of_the_family_that_is_swept",
        "One coupling layer leaves half of the columns as they were: two at least are needed to shape them all.",
        "One autoregressive layer scales and shifts each column given those before it; the first stays a Gaussian.",
    ),
    entry(
        "true of every coupling whose network has a bottleneck",
        "tests/catalog/test_sweeps.py::test_row_57_a_bottleneck_is_swept_over_seeds",
        "A narrow layer in each coupling's network leaves it less to copy of the pixels it reads.",
    ),
    entry(
        "the general model differs in its corruption alone",
        "tests/dashboard/test_page_images.py::test_row_73_the_ratio_to_a_corrupted_run_is_drawn_against_the_noise",
        "A general model of the same pictures with some pixels at random: the ratio to it scores each picture. With none corrupted both models are one, and the ratio says nothing.",
    ),
    entry(
        "codes as wide as the table copy it",
        "tests/models/test_autoencoders.py::test_over_complete_code_without_a_regulariser_copies_its_input",
        "A wider code copies more: the error falls to zero, and with it what the error says about anomalies.",
    ),
    entry(
        "true of every variational autoencoder",
        "tests/models/test_autoencoders.py::test_beta_trades_rate_against_distortion",
        "Rate is what the code tells of a row, distortion what it leaves out; a high beta buys one with the other.",
    ),
    entry(
        "true of every kernel density estimate",
        "tests/models/test_classical.py::test_row_2_kde_equals_scikit_learns",
        "Kernel density needs more rows as columns are added, and scoring costs it a look at each of them.",
    ),
)
VERSIONS = (
    entry(
        "counts of the rows that two versions flag, each at its own threshold, and Spearman's correlation of their scores",
        "tests/evaluation/test_versions.py::test_flags_and_places",
        "Of {} the old version flags {} ({}), the new one {} ({}): {} both, {} only the old, {} only the new.",
        "The rank correlation of their scores is {}.",
    ),
    entry(
        "the compared rows have both labels; the interval is that of the paired difference over resampled rows",
        "tests/evaluation/test_versions.py::test_noise_is_called_better_no_more_often_than_the_interval_says",
        "{} {} instead of {}: {} (95 % interval of the difference {} to {}).",
        "better by more than chance",
        "worse by more than chance",
    ),
    entry(
        "both versions have the same value, and so in every resample",
        "tests/evaluation/test_versions.py::test_the_better_one_is_called_better_and_the_same_one_the_same",
        "{} {}, the same for both.",
    ),
)
ENTRIES = (*BADGE, *ANSWERS, *COMPARISONS, *SWEEPS, *VERSIONS)
