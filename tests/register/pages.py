# ruff: noqa: E501
"""What the pages say beside what the library says; see `test_register`."""

from __future__ import annotations

from register.entry import entry

SPEAKERS = (
    "flowlab/dashboard/shell/headline.py",
    "flowlab/dashboard/compare/*.py",
    "flowlab/dashboard/train/*.py",
)

NO_STATEMENTS: tuple[str, ...] = (
    # the Train page
    "Film, layers, loss and settings in one file that opens without a server",
    "Press **Train**: the density forms on the left, the latent points on the right.",
    "End here and keep the best weights",
    "Forget this run, from step 0",
    "From step 0, beside this one, which it replaces when done",
    "Give up your own copy and see the run that all share",
    "Go on from here to step {}, as a run of its own",
    "Watch a flow learn data: press **Train**, or take the [first lesson](/learn?learn.lesson=change).",
    "Watch another model beside it",
    # the Compare page: invitations, tooltips and titles
    "Scoring pictures inside and outside",
    "What each background held, and the numbers",
    "Here models meet on the same rows: reconstruction error against likelihood, a leaderboard with one-line rivals, and the rows they disagree on. Train the set first; a bar shows how far it is.",
    "A flow, an autoencoder, a VAE, kernel density and an isolation forest, one after the other",
    "Trains each model twice more with other seeds; the spread tells differences from noise",
    "Reconstruction against likelihood needs {} among the models; train the set.",
    "Rows in dispute need an autoencoder and a density model among the models.",
    "Choose at least one model.",
    "Rank correlation (Spearman) of the scores of held-out rows",
    "Arrows from points to their reconstructions",
    "{} selected in the scatter; double-click there to see all again.",
    "Pictures drawn by {}, and held-out rows",
)
"""Names of things and invitations to act, which cannot be false."""

ONE_GAP = "tests/dashboard/test_one_gap.py::"
COMPARE = "tests/dashboard/test_page_compare.py::"
ENTRIES = (
    entry(
        "the data are patches, whatever has been trained of the table",
        "tests/dashboard/test_page_images.py::test_row_68_one_button_trains_the_table_of_cures_and_what_is_there_is_shown",
        "Every score of the lecture against everything outside, means over three seeds: runs like any other, kept and shown again when the table is opened.",
        "{} runs, one after the other; stop at any time and go on later: what is finished is kept",
        "AUROC on pictures that no run was trained on, means over {} or more ± standard error. The best worst case has “{}”: {}; {} of {} scores are fooled by something (below 0.5).",
    ),
    entry(
        "some runs are finished, and none of the lines has all it needs",
        "tests/catalog/test_cures.py::test_row_78_means_and_standard_errors_are_over_the_seeds_that_are_there",
        "No line of the table has all of its runs yet.",
    ),
    entry(
        "the data have one column, and the model has masks or permutations",
        "tests/dashboard/test_page_train.py::test_row_94_with_one_column_the_page_says_that_there_is_one_order",
        "With one column there is only one order: permutations and masks change nothing. Affine layers then shift and scale a Gaussian and leave it one; the bins of a spline shape it.",
    ),
    entry(
        "the two scores of the least rank correlation are named",
        "tests/dashboard/test_alternative_texts.py::test_the_scores_named_are_those_that_agree_least",
        "Rank correlations of all scores; there is only one",
        "Rank correlations of {} scores; {} and {} agree least ({})",
    ),
    entry(
        "the run is finished, live, failed, or there is none; the distance from the truth is the one of `views.final`",
        ONE_GAP + "test_headline_line_answers_and_report_say_one_distance",
        "not trained yet",
        "trained in",
        "in training",
        "training failed",
    ),
    entry(
        "the model has that fault",
        "tests/dashboard/test_page_trust.py::test_the_train_page_says_that_the_loss_of_a_broken_flow_is_none",
        "broken on purpose: {}",
        "Broken on purpose: {}.",
    ),
    entry(
        "some compared model's log-density is a bound, under a context, or of a table with a constant column",
        "tests/evaluation/test_comparison.py::test_what_a_likelihood_is_of_is_said_by_model_and_table",
        "Log-likelihoods of different things are not ranked together. {}.",
    ),
    entry(
        "spreads are over seeds where there are several, else over rows resampled within each label",
        "tests/evaluation/test_comparison.py::test_spread_is_over_seeds_when_there_are_several",
        "± is one standard deviation {}; k is the number of anomalies; scoring is per 1\u2009000 rows.",
        "over bootstrap samples of the rows",
        "over seeds, each with its own split and, for toys, its own rows",
    ),
    entry(
        "no labels of both kinds are among the compared rows",
        "tests/evaluation/test_comparison.py::test_a_mean_over_no_normal_rows_is_unknown",
        "Without labels nobody can say whether the consensus detects better than its members.",
    ),
    entry(
        "rows are sorted by the difference of their ranks",
        "tests/evaluation/test_comparison.py::test_quadrants_and_disagreement",
        "The rows on which the two ranks lie furthest apart; a lasso in the scatter chooses others.",
    ),
    entry(
        "the reading is the affine map of the squared error that a Gaussian of that sigma gives",
        "tests/models/test_autoencoders.py::test_gaussian_reading_of_the_squared_error",
        "The likelihood is highest at {}: the root of the mean squared error of a column.",
        "-\\log \\mathcal N(x;\\,\\hat x,\\,\\sigma^2 I)=\\frac{1}{2\\sigma^2}\\,\\lVert x-\\hat x\\rVert^2+\\frac d2\\log(2\\pi\\sigma^2)={}\\,\\lVert x-\\hat x\\rVert^2{}",
        "An increasing map: both rank the rows alike. It assumes independent columns of one spread, and it is no density of x, because the reconstruction depends on x itself.",
    ),
    entry(
        "no compared model can sample",
        COMPARE + "test_every_section_opens_from_its_link",
        "None of these models can draw samples.",
    ),
    entry(
        "true of the four tests",
        "tests/evaluation/test_two_sample.py::test_p_values_are_uniform_when_the_distributions_are_equal",
        "Read the effect first: with thousands of rows any model fails any test. The classifier's effect is an AUROC, 0.5 where samples are as good as real rows; the others are 0 then. p counts permutations.",
    ),
    entry(
        "what the maps show is the model's error and density on the grid",
        "tests/views/test_comparison_views.py::test_map_of_reconstructions_agrees_with_the_model",
        "The autoencoder's error is low along what its decoder can say",
        "The density is high where data are",
        "Strong colour means ordinary in both: a small error, a high density. The line is what the decoder can say, arrows show whither the autoencoder pulls a point.",
    ),
)
