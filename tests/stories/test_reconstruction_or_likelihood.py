"""When a density detects better than an autoencoder, and when it does not: one table of each kind, five seeds."""

import numpy as np
from sklearn.metrics import roc_auc_score

from flowlab.models.autoencoders.autoencoder import Autoencoder
from flowlab.models.flows.families import SplineCouplingFlow

SEEDS = range(5)


def unequal_noise(seed: int, n: int = 3000):
    """Three tight columns and five loud ones that share two causes; anomalies break the tight relation.

    A squared error counts each column's deviation alike, as if all had the same noise: the loud columns drown the
    tight ones. A density divides each deviation by what is usual there.
    """
    rng = np.random.default_rng(seed)
    causes = rng.normal(size=(n, 2))
    mixing = np.random.default_rng(7).normal(size=(2, 8))
    X = causes @ mixing + rng.normal(size=(n, 8)) * np.array([0.05] * 3 + [1.5] * 5)
    y = (np.arange(n) >= 0.95 * n).astype(int)
    X[y == 1, :3] += rng.normal(size=(int(y.sum()), 3)) * 0.5
    return X, y


def few_rows_near_a_plane(seed: int, n: int = 1100):
    """Twenty columns that lie near a plane, and a hundred rows to learn from; anomalies leave the plane.

    The autoencoder's assumption, a plane and equal noise, is the truth here; a flow must learn it from few rows.
    """
    rng = np.random.default_rng(seed)
    plane = np.random.default_rng(7).normal(size=(2, 20))
    X = rng.normal(size=(n, 2)) @ plane + 0.3 * rng.normal(size=(n, 20))
    y = (np.arange(n) >= 600).astype(int)
    X[y == 1] += 0.2 * rng.normal(size=(int(y.sum()), 20))
    return X, y


def aurocs(table, n_train, n_latent):
    """Mean AUROC of a linear autoencoder and of a flow on unseen rows, fitted to normal ones."""
    found = []
    for seed in SEEDS:
        X, y = table(seed)
        train = np.flatnonzero(y == 0)[:n_train]
        test = np.setdiff1d(np.arange(len(y)), train)
        models = Autoencoder(n_latent, n_layers=0), SplineCouplingFlow(n_layers=4, n_steps=500, random_state=seed)
        found.append([roc_auc_score(y[test], model.fit(X[train]).anomaly_score(X[test])) for model in models])
    return np.mean(found, axis=0)


def test_the_flow_wins_where_columns_have_unequal_noise():
    autoencoder, flow = aurocs(unequal_noise, n_train=2000, n_latent=2)
    assert flow > autoencoder + 0.1, (autoencoder, flow)


def test_the_autoencoder_wins_where_its_assumption_is_true_and_rows_are_few():
    autoencoder, flow = aurocs(few_rows_near_a_plane, n_train=100, n_latent=2)
    assert autoencoder > flow + 0.05, (autoencoder, flow)
