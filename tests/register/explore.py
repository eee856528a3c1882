# ruff: noqa: E501
"""What Explore says beside its pictures; see `test_register`."""

from __future__ import annotations

from register.entry import entry

SPEAKERS = ("flowlab/dashboard/explore/*.py", "flowlab/views/*.py", "flowlab/catalog/faults.py")

NO_STATEMENTS: tuple[str, ...] = (
    "Columns that the first layer transforms",
    "Digits, 1 for each column the first layer transforms",
    "The same in each layer",
    "These are the masks of this run; choose others.",
    "Choose two different columns.",
    "Choose at least two columns.",
    "At the values of row",
    "Row (or click a point)",
    " Click a dot to open the receipt of its row.",
    "Back to the sound model",
    "The same data, seed and settings with one fault, trained anew: does the badge tell?",
    "Here a trained model opens up: its density beside the truth, samples, layers, single rows.",
    "The film begins with the first picture of the training.",
    "one mask in all layers",
    "Pictures above their latent points",
    "Pictures decoded between four rows",
    "Under each picture: its anomaly score. Outlined: labelled anomalies.",
    "Under each picture: its {}.",
)
"""Names of things and invitations to act, which cannot be false."""

SAID = "tests/dashboard/test_explore_sentences.py::"
PAGE = "tests/dashboard/test_page_explore.py::"
TRUST = "tests/evaluation/test_trust.py::"
COUPLING = "tests/views/test_coupling_views.py::"
LATENT = "tests/views/test_latent_views.py::"
VIEWS = "tests/views/test_views.py::"
PAIRS = "tests/views/test_pairs_views.py::"
PICTURES = (
    entry(
        "the rows are those of the training part with the smallest sum of squared differences from the draws",
        "tests/views/test_picture_views.py::test_draws_stand_above_the_training_rows_nearest_to_them",
        "Below the first draws stand the training rows nearest to them, with the root mean square difference of their pixels: a model that copies has zero. {} of all pixels lie beyond black or white.",
        "{} drawn by the model, the first above their nearest training rows",
    ),
    entry(
        "the latent points have the size of the pictures, and the prior of a flow is Gaussian",
        "tests/views/test_picture_views.py::test_latent_points_are_drawn_where_they_have_the_size_of_a_picture",
        "Below, each latent variable at its pixel, as the share of a Gaussian below it: a map that keeps nothing of the picture gives uniform noise. Where the outline of the picture is still seen, the flow has not used it up.",
    ),
    entry(
        "rows are pictures",
        "tests/dashboard/test_page_images.py::test_row_110_draws_are_a_gallery_of_pictures_and_no_view_is_of_single_pixels",
        "Density, margins, pairs, the bridge, layers and couplings are not drawn for pictures: they show one or two columns at a time, and a single pixel says little. ",
    ),
    entry(
        "the corners decode to the four rows, and lengths are mixed for flows and variational autoencoders",
        "tests/views/test_picture_views.py::test_between_four_rows_the_corners_are_the_rows",
        "Latent points are mixed evenly from the four corners, and get the mixture of their lengths where the prior is Gaussian.",
    ),
    entry(
        "the pictures are decoded from the places on the ways, or from the point that was moved",
        "tests/views/test_picture_views.py::test_a_path_shows_its_ends",
        "Pictures on the ways between two rows. {}",
        "The picture decoded from z; {}",
    ),
)
JACOBIAN = (
    entry(
        "the numbers are those of the Jacobian at the row, and of what the layers report",
        COUPLING + "test_the_jacobian_of_a_layer_is_triangular_in_its_order_and_that_of_the_flow_is_not",
        "Jacobian of {} at row {}, in scaled units, by automatic differentiation. {}",
        " The layer first puts the columns in another order, so in their own order its matrix is not triangular; read in the layer's order it is.",
    ),
    entry(
        "the reported log-determinant differs from that of the matrix",
        TRUST + "test_every_fault_that_the_page_offers_is_caught_by_the_findings_it_names",
        "{} = {}, but what {} is {}.",
        "The layers report something else: look at them one by one for the one that breaks its rule.",
    ),
    entry(
        "the data have one column",
        SAID + "test_one_feature_has_one_slope",
        "With one feature it is a single number, the slope.",
    ),
    entry(
        "the matrix at this row has the form that is told",
        SAID + "test_the_form_that_is_told_is_that_of_the_jacobian",
        "The part above the diagonal should be empty and holds up to {}: the masks are broken, and the diagonal alone does not give the determinant.",
        "A planar layer is the identity plus a product of two vectors: triangular in no order, but its determinant is one plus the product's trace.",
        "A linear map L U mixes all columns: triangular in no order, but its determinant is the product of the diagonal of U, for L has ones on its own.",
        "A radial layer is a multiple of the identity plus a product of two vectors: triangular in no order, but its determinant is known in closed form.",
        "Each layer's determinant is easy, that of all of them together is not: they are triangular in no common order. The determinant of the product is the product of their determinants, so logarithms add up.",
        "Kept features leave as they entered and do not look at the moved ones: the block framed by dots is empty. Each moved feature is stretched by itself alone: what is left counts nothing, the outlined diagonal all.",
        "Each feature depends on itself and on those before it: the triangle framed by dots is empty.{}",
    ),
    entry(
        "the layer multiplies each column by a number of its own",
        VIEWS + "test_couplings_are_triangular_and_keep_what_they_read",
        "This layer only rescales: the matrix is diagonal.",
    ),
)
MASKS = (
    entry(
        "no layer transforms these columns, and they vary",
        COUPLING + "test_row_17_a_column_never_transformed_keeps_a_gaussian_marginal",
        "is never transformed: its marginal stays",
        "are never transformed: their marginals stay",
    ),
    entry(
        "some column that varies is never transformed, by one layer or by several",
        COUPLING + "test_row_17_one_layer_leaves_half_of_the_columns_alone",
        "A second layer can transform",
        "Masks that take turns transform",
    ),
    entry(
        "the product of the masks is, or is not, strictly lower triangular",
        COUPLING + "test_made_masks_multiply_to_a_strictly_triangular_matrix",
        "It has cells on or above the diagonal: s and t of some feature depend on itself or on later ones, so the Jacobian is not triangular.",
        "It is empty on and above the diagonal, so a feature's s and t depend only on those before it.",
        "Masks of layer {}, whose features come in the order {}{}: a filled cell lets the row see the column. Their product counts the paths from one feature to another's s and t. {}",
    ),
    entry(
        "the edited mask leaves no column that varies alone",
        COUPLING + "test_the_editor_says_what_is_never_transformed_and_trains_another_mask",
        "With this mask every column that varies is transformed by some layer.",
    ),
    entry(
        "that is what moves in the layers, by architecture or by the rows",
        COUPLING + "test_the_masks_told_are_the_columns_that_move",
        "Every layer changes every feature.",
        "Blue: the layer changes the feature; grey: it keeps it, and reads it where it varies.",
        "Layer {} changes no feature of these rows.",
    ),
    entry(
        "s and t are those that the layer applied",
        VIEWS + "test_row_12_the_scale_and_shift_of_a_receipt_reproduce_the_next_position",
        "Layer {} scales and shifts feature {}: {} over the rows shown",
    ),
    entry(
        "the layers of the model have no masks to read s and t from",
        COUPLING + "test_layers_without_masks_say_so",
        "This model does not tell the scale and shift of its layers; the Jacobian on the right shows what they do.",
    ),
    entry(
        "the second feature's s and t depend on the first, or not, by the Jacobian",
        SAID + "test_a_feature_that_a_layer_does_not_read_is_told_as_such",
        "What layer {} does to feature {} of every row, against that feature before it.",
        "Layer {} does not read feature {} for s and t of feature {}: a pattern comes from features on which both depend.",
        "Layer {} reads feature {} and sets s and t of feature {} for every row. An affine layer that reads no other feature draws curves; a spline's slope also depends on the changed feature itself.",
    ),
)
DENSITY = (
    entry(
        "the picture is the density of two columns given the others",
        VIEWS + "test_a_slice_is_the_conditional_density",
        "With {} features a density cannot be drawn whole. This is the density of two columns when all others are held at this row's values.",
    ),
    entry(
        "the exact density is known on the line, or not",
        SAID + "test_the_lowest_place_on_a_line_is_held_against_the_truth_there",
        "Lowest log-density of {} places on the line: **{}**",
        ", where the true one is {}",
        ", where the true density is zero",
        ". The true one falls to {}",
    ),
    entry(
        "the exact density is not known",
        "tests/dashboard/test_what_to_look_for.py::test_nothing_is_compared_where_the_truth_is_not_known_and_nothing_said_of_a_broken_flow",
        "Look for mass where no rows are; the density is highest at {}.",
    ),
    entry(
        "the exact density is known; the share is a lower bound of the total variation, whatever the window holds",
        SAID + "test_what_would_have_to_be_moved_is_never_more_than_the_total_variation",
        "Look at the difference: at least {} of the probability would have to be moved, from where the difference is positive to where it is negative.",
    ),
    entry(
        "it is the integral over the window of the picture",
        VIEWS + "test_contours_hold_the_mass_they_promise",
        "Probability inside the window: learned {}",
        "Learned density; {} of it lies in this window",
        "; largest difference from the true density {}",
    ),
    entry(
        "the model has a fault that takes its density",
        TRUST + "test_every_fault_that_the_page_offers_is_caught_by_the_findings_it_names",
        " · this flow is broken on purpose: what it calls a density is none",
    ),
)
LATENT_SPACE = (
    entry(
        "the score is compared with those of the rows shown, the norm with a Gaussian's",
        SAID + "test_how_typical_a_latent_point_is_told_by_draws_and_by_the_rows",
        ", less than that of {} of the rows shown",
        "nearer to the centre than {}",
        " · norm of z **{}**, {} of a Gaussian's in {}",
        "{}: not typical, {}. As far out lie {} of {}.",
        "{}: near the centre, where the density of z is highest.",
        "{}: not typical, {}. The density of z is highest in the centre, but the room there is so small that hardly a draw falls into it.",
    ),
    entry(
        "the model is an autoencoder without a distribution of its code",
        LATENT + "test_every_kind_of_model_plays",
        "{} · norm of z {}; the code of this model has no prior to compare it with.",
    ),
    entry(
        "both latent points lie on one line through the origin",
        LATENT + "test_there_is_no_great_circle_in_one_dimension_or_from_a_row_to_itself",
        "These two latent points lie on one line through the origin, so no great circle is theirs.",
    ),
    entry(
        "the model is an autoencoder",
        LATENT + "test_the_way_of_an_autoencoder_ends_at_the_reconstructions",
        "A code keeps only part of a row: the latent way ends at the reconstructions, not at the rows.",
    ),
    entry(
        "it is the lowest of the scores of the places on each way",
        LATENT + "test_every_way_of_a_flow_ends_at_the_rows_and_scores_are_the_models",
        "Lowest {} of {} places on the way: {}.",
    ),
    entry(
        "it is a fact about the latent points shown",
        SAID + "test_the_axis_and_the_lengths_told_are_those_of_the_latent_points",
        "Quantiles of each latent axis against a Gaussian's; the standard deviation furthest from 1 is {}, of axis {}",
        "Lengths of latent vectors: median {}, a Gaussian's {}",
    ),
)
LAYERS = (
    entry(
        "the rows are independent draws",
        SAID + "test_the_log_likelihood_of_rows_is_the_sum_of_theirs",
        "Together {} have a log-likelihood of {}, the sum of theirs: {} a row.",
    ),
    entry(
        "the link names a layer that the model has not",
        PAGE + "test_nonsense_in_the_link_is_harmless",
        "The link asks for layer {}; this model has {}.",
    ),
    entry(
        "position and log-determinant before and after the layer differ by that",
        VIEWS + "test_row_9_receipts_add_up",
        "**Layer {}** moves row {} by {} scaled units and changes its log-density by {} nats.",
        "**Data space**: row {} before the first layer, each column scaled.",
        "{} All items add up to {}",
        "Bars: what each layer adds to the log-density of this row. Dots: a typical row.",
        "\\begin{aligned}\\log p(x) &= \\log\\mathcal N(z;0,I) + \\sum_\\ell \\log\\left|\\det J_\\ell\\right| + \\log\\left|\\det J_\\text{scaling}\\right| \\\\ &= {}\\end{aligned}",
    ),
    entry(
        "the typical row has the median of the first 2,000 training rows, or of all where there are fewer",
        SAID + "test_the_typical_row_has_the_median_of_up_to_2000_training_rows",
        "Sum of the items: {} nats; the model's own log p(x): {} nats; they differ by {}. The dotted line is the receipt of a typical row, number {}: its log p is the median of up to {} training rows.",
    ),
    entry(
        "no item is larger in size",
        SAID + "test_the_largest_item_of_a_receipt_is_the_largest_in_size",
        "Items that add up to a log-density of {} for row {}; a typical row has {}. The largest in size is {} with {}",
    ),
)
SAMPLES = (
    entry(
        "the table was uploaded, and has columns beside those that the model learned",
        "tests/teaching/test_learning.py::test_row_20_synthetic_rows_have_the_files_columns_ranges_and_types",
        "The columns of the file, in its order. Those that no model draws are made up: new identifiers, times within the training rows, the label of normal rows where only those were learned; others are empty.",
    ),
    entry(
        "the distance is between the sample and its nearest training row, in the spread of the training rows",
        VIEWS + "test_row_36_samples_have_a_count_and_a_seed_and_know_their_nearest_training_row",
        "Sample {}: nearest training row {}, {} standard deviations away.",
        "Click a sample to find the training row nearest to it: a model that copies has distance zero.",
    ),
    entry(
        "it counts the samples in the window of the data",
        SAID + "test_the_samples_in_the_window_are_counted",
        "{} of the model over rows of the data; {} lie in the window",
    ),
    entry(
        "the distance is within, or beyond, what some column of samples like the data exceeds in 5 % of cases",
        SAID + "test_of_samples_that_are_like_the_data_one_in_twenty_is_told_to_differ_in_some_column",
        "No column differs by more than luck: the largest distance is {}, of {}; luck alone gives up to {}.",
    ),
    entry(
        "it is the distance of the two distribution functions",
        SAID + "test_a_column_that_differs_is_named_with_its_distance",
        "{} differs most, by {}; luck alone gives up to {}.",
        "Distance: largest difference between the two distribution functions (Kolmogorov-Smirnov), from 0 for equal ones to 1.",
    ),
    entry(
        "fewer than two columns vary",
        PAIRS + "test_frames_become_numbers_and_levels",
        "Pairs need at least two columns that vary; this table has fewer.",
    ),
    entry(
        "windows hold the central 98 % of the rows; marks and colours are those of distances and residuals",
        PAIRS + "test_the_window_is_that_of_nearly_all_rows_however_wild_the_samples",
        "Dots and filled steps: {}, over at least the central 98 % of each column. Crosses and dashes: {} samples, as many crosses as dots. Above the diagonal: blue where they are too many, vermilion where they are too few; Δ is the largest difference between their shares in any quadrant, bold where it is beyond luck, ρ the rank correlation of rows / samples.{}",
    ),
    entry(
        "these pairs have the largest distance and the strongest rank correlation of all pairs",
        PAIRS + "test_the_columns_that_tell_most_are_found_for_the_reason_said",
        "Of {} pairs, the samples miss {} most ({}); {} depend most on each other in the data (rank correlation {}). These and the next strongest are shown first.",
    ),
    entry(
        "luck had all pairs to choose from where the columns shown are the worst of all, else those shown",
        SAID + "test_of_samples_that_are_like_the_rows_one_in_twenty_is_told_to_differ_in_some_pair",
        "luck alone gives up to {}",
        "No pair shown differs by more than luck: the largest difference is {}, in {}; {}.",
    ),
    entry(
        "the distance of that pair is beyond luck",
        SAID + "test_a_pair_that_differs_is_named_with_the_distance_of_its_reason",
        "The samples differ most in {}: in some quadrant the shares are {} apart; {}.",
    ),
)
RUNS = (
    entry(
        "training on a free core took about so long; a part of it was measured",
        "tests/views/test_estimate.py::test_an_estimate_is_near_what_training_takes",
        "Takes {}{}, measured on a few steps.",
        "Perhaps {}, a guess from a part of it.",
    ),
    entry(
        "the program can say all settings of the run",
        "tests/serving/test_pytorch_script.py::test_row_26_the_exported_program_reproduces_the_loss",
        "Put both files into one folder and run the program. This run has **{}** on held-out rows; the program begins with the same weights, batches and noise, and differs by what training makes of rounding.",
    ),
    entry(
        "the fault is in no setting of this model, but in one of that other",
        "tests/dashboard/test_page_trust.py::test_splines_are_given_the_scale_of_nflows_as_an_affine_flow_and_come_back_as_splines",
        "Changes to the {}. ",
    ),
    entry(
        "the findings that the fault names are worse than in the sound model",
        TRUST + "test_every_fault_that_the_page_offers_is_caught_by_the_findings_it_names",
        "Loss and score are −log N(z) alone, so nothing holds the rows apart: the flow squeezes them all into the centre of the latent space, and what it draws lies far outside the data.",
        "Each network also reads the columns it changes, so the Jacobian is not triangular and the map has no inverse: the loss claims a volume change that does not happen and falls far below the entropy.",
        "Every layer transforms the same columns; the others pass unchanged, and their shape stays a Gaussian's in all that the flow draws, which is right only where it is one.",
        "No layer can stretch, its scale being at most 1.001: the loss stalls far above the entropy, and the latent points stay too close together.",
    ),
    entry(
        "the model has no learning rate, number of steps or noise to set",
        PAGE + "test_a_frame_of_the_film_is_forked_and_the_runs_race",
        "{} has no settings of learning that a fork could change.",
        "It goes on from here with these settings, as a run of its own.",
        "Rings: where a fork left the run before it. The run of this page is the thick line.",
    ),
    entry(
        "the model cannot be conditioned, and the data have a context",
        PAGE + "test_a_model_that_cannot_be_conditioned_says_how_it_reads_the_context",
        "{} cannot be conditioned: it reads {} as a number. ",
    ),
    entry(
        "the model is no flow",
        PAGE + "test_a_kernel_density_says_what_it_lacks",
        "{}{} has no {}: choose a flow to see them.",
    ),
    entry(
        "the worst level of the findings is that one: green with the power to have seen a bad fit, grey without",
        "tests/evaluation/test_badge_power.py::test_no_good_model_is_red_and_no_bad_one_green",
        "Everything that could be measured is as it should be.",
        "Nothing wrong is seen, but there are too few held-out rows to call this model good.",
        "Usable, with a reservation.",
        "Do not trust this model's numbers before the red finding is understood.",
    ),
    entry(
        "no training row stands in for a held-out one",
        "tests/evaluation/test_badge_power.py::test_training_rows_never_stand_in_for_held_out_ones",
        "Green ●, too few rows to tell ○, amber ▲, red ■. Measured from the model's outputs alone; the fit on validation and test rows.",
    ),
    entry(
        "of all columns this one ranks the labelled validation rows best",
        "tests/evaluation/test_comparison.py::test_a_column_chosen_on_validation_rows_does_not_beat_the_best_detector_by_chance",
        "column {} alone (best on validation rows)",
    ),
)
ENTRIES = (*JACOBIAN, *PICTURES, *MASKS, *DENSITY, *LATENT_SPACE, *LAYERS, *SAMPLES, *RUNS)
