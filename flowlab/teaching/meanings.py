"""What each view of a page shows: its formula, the present run's numbers in it, and the lesson that explains it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from flowlab.teaching.claims import NAMED, fill


@dataclass(frozen=True)
class Meaning:
    """What one looks at.

    Attributes
    ----------
    words : Markdown with the formula
    measured : sentences with numbers of the run, {run.gap:.3f}; each is said where all its numbers are known
    lesson : key of the lesson that explains it
    """

    words: str
    measured: tuple[str, ...]
    lesson: str

    def text(self, numbers: Mapping[str, float] | None) -> str:
        """The words, and what is known of the run."""
        known = [line for line in self.measured if numbers is not None and _is_known(line, numbers)]
        return "\n\n".join([self.words, *(fill(line, {"run": numbers}) for line in known)])


def _is_known(line: str, numbers: Mapping[str, float]) -> bool:
    return all(math.isfinite(numbers[match[2]]) for match in NAMED.finditer(line))


_GAP = "Here: {run.gap:.3f} nats above the exact density, give or take {run.gap_error:.3f}."
_LOSS = "Here: {run.loss:.3f} nats on held-out normal rows."
_AUROC = "Here: AUROC {run.auroc:.3f}, average precision {run.average_precision:.3f} on held-out rows."

_DENSITY = r"$$\log p(x) = \log \mathcal N(f(x); 0, I) + \log \left|\det \tfrac{\partial f}{\partial x}\right|$$"

MEANINGS: dict[tuple[str, str], Meaning] = {
    ("explore", "Density"): Meaning(
        f"The density the model has learned, and the exact one where it is known. For a flow:\n\n{_DENSITY}",
        (_LOSS, "No model can have less than the entropy, {run.entropy:.3f} nats.", _GAP),
        "change",
    ),
    ("explore", "Samples"): Meaning(
        r"Rows drawn from the model. A flow draws $z \sim \mathcal N(0, I)$ and gives $x = f^{-1}(z)$; an autoencoder "
        r"decodes draws of its prior. A temperature scales $z$.",
        (_GAP,),
        "learning",
    ),
    ("explore", "Latent"): Meaning(
        r"Each row's latent point $z = f(x)$. A flow that has learned the density makes them standard normal: "
        r"$\lVert z \rVert^2$ follows $\chi^2_d$. A plain autoencoder promises nothing of them.",
        (_GAP,),
        "learning",
    ),
    ("explore", "Rows"): Meaning(
        r"The rows, coloured by their anomaly score $-\log p(x)$ or its like: higher is stranger.", (_AUROC,), "kde"
    ),
    ("explore", "Layers"): Meaning(
        r"A flow is a chain $f = f_L \circ \dots \circ f_1$. Each layer moves the points and adds its part: "
        r"$\log |\det \partial f| = \sum_l \log |\det \partial f_l|$.",
        (_LOSS,),
        "coupling",
    ),
    ("explore", "Coupling"): Meaning(
        r"One half of the columns is kept and decides how the other is scaled and shifted: "
        r"$y_2 = e^{s(x_1)} \odot x_2 + t(x_1)$. Its Jacobian is triangular, and its log-determinant is $\sum s(x_1)$.",
        (_LOSS,),
        "coupling",
    ),
    ("explore", "Receipt"): Meaning(
        f"One row's log-density as a bill: every layer's part of the log-determinant, and the base.\n\n{_DENSITY}",
        (_LOSS,),
        "change",
    ),
    ("explore", "Bridge"): Meaning(
        r"$\log p$ along a line between two points. A continuous invertible map of one Gaussian cannot leave a gap: "
        "between two clusters a thin bridge of density remains.",
        (_GAP,),
        "learning",
    ),
    ("explore", "Margins"): Meaning(
        r"Each column alone: $p(x_j) = \int p(x)\, dx_{-j}$, of held-out rows and of rows drawn from the model.",
        (_GAP,),
        "learning",
    ),
    ("explore", "Pairs"): Meaning(
        "Two columns at a time: held-out rows, and rows drawn from the model.", (_GAP,), "learning"
    ),
    ("explore", "Film"): Meaning(
        r"The training, step by step. What falls is the loss: of a density the mean of $-\log p(x)$ over the rows.",
        (
            "It began at {run.first_loss:.3f} and ended at {run.train_loss:.3f} nats after {run.steps:d} steps.",
            "The lowest validation loss, {run.best_loss:.3f}, came at step {run.best_step:d}.",
        ),
        "learning",
    ),
    ("explore", "Code"): Meaning(
        "The run as a program in plain PyTorch, or with nflows, and the rows it reads: nothing of FlowLab is needed.",
        (_LOSS,),
        "coupling",
    ),
    ("explore", "Trust"): Meaning(
        r"Questions that a good model passes. A flow's: does $f^{-1}(f(x))$ give $x$ back, is $\int p = 1$, are latent "
        r"points standard normal, can samples be told from rows?",
        (_GAP,),
        "learning",
    ),
    ("compare", "Rows in dispute"): Meaning(
        r"An autoencoder asks how well it can rebuild a row, $\lVert x - \hat x \rVert^2$; a density how common it is, "
        r"$-\log p(x)$. These are the rows on which the two ranks differ most.",
        (_AUROC,),
        "assumption",
    ),
    ("compare", "Agreement"): Meaning(
        r"Spearman's $\rho$, the correlation of ranks: 1 means that two scores order rows alike, in whatever units.",
        (_AUROC,),
        "assumption",
    ),
    ("compare", "Samples"): Meaning(
        "Two-sample tests: how easily rows drawn from a model are told from held-out rows. p is the chance of so large "
        "a distance between two draws of one density.",
        (_GAP,),
        "vae",
    ),
    ("compare", "Maps"): Meaning(
        r"The same plane by two scores: $\lVert x - \hat x \rVert^2$ and $-\log p(x)$. They agree where the noise is "
        "the same in all directions and places.",
        (_GAP,),
        "assumption",
    ),
    ("compare", "Error as likelihood"): Meaning(
        r"A squared error is a Gaussian likelihood with one spread everywhere: "
        r"$-\log \mathcal N(x; \hat x, \sigma^2 I) = \tfrac{1}{2\sigma^2} \lVert x - \hat x \rVert^2 + "
        r"\tfrac d2 \log 2\pi\sigma^2$.",
        (),
        "assumption",
    ),
    ("compare", "Cures"): Meaning(
        r"A ratio asks how much better a general model explains a picture: $\log p_g(x) - \log p(x)$. AUROC of every "
        "score against everything outside; below one half, what is outside looks more normal than what was learned.",
        (_AUROC,),
        "pictures",
    ),
    ("compare", "Sweeps"): Meaning(
        "One setting at several values, everything else equal: what it is worth, and where more of it gives nothing.",
        (),
        "coupling",
    ),
    ("detect", "Flagged rows"): Meaning(
        r"A row is flagged where its score is at least the threshold: $-\log p(x) \geq \theta$.", (_AUROC,), "decision"
    ),
    ("detect", "Curves"): Meaning(
        r"For every threshold: recall, the share of the anomalies that is flagged; precision, the share of the flagged "
        r"that are anomalies; and the cost, $c_{alarm}$ for each false alarm and $c_{missed}$ for each missed anomaly.",
        (_AUROC,),
        "decision",
    ),
    ("detect", "ROC and precision-recall"): Meaning(
        "AUROC is the chance that an anomaly scores above a normal row; average precision is the mean precision as "
        "recall grows, and says more where anomalies are rare. Precision at k is the share of anomalies among the k "
        "highest scoring rows, lift that share over the one in all rows: 1 for scores at random.",
        (_AUROC,),
        "decision",
    ),
    ("detect", "Rules"): Meaning(
        r"A rule turns scores into a threshold: a share of the rows, a budget, least cost, or a promise "
        r"$P(\text{flagged} \mid \text{normal}) \leq \alpha$ by conformal calibration.",
        (_AUROC,),
        "decision",
    ),
    ("detect", "Groups"): Meaning(
        r"A promise for each group $g$ of a column: $P(\text{flagged} \mid \text{normal}, g) \leq \alpha$, from the "
        "group's own calibration rows.",
        (),
        "decision",
    ),
    ("detect", "Over time"): Meaning(
        "The score of each row in its order, the threshold, and what lies above it.", (_AUROC,), "decision"
    ),
    ("detect", "Audit without labels"): Meaning(
        "A few rows, some near the threshold and some drawn at random, answered by a person: enough to estimate the "
        "precision at every threshold, with an interval.",
        (),
        "decision",
    ),
    ("detect", "Versions"): Meaning(
        "Two detectors on the same rows, each at its own threshold: which rows both flag, and whose place in the list "
        "changed. Their scores have different units, so places are compared, by Spearman's rank correlation; quality "
        "is measured on rows that neither was trained on.",
        (_AUROC,),
        "decision",
    ),
}
"""By page and view, as links name them."""
