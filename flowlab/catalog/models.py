"""The models of the catalog, by family."""

from __future__ import annotations

from flowlab.catalog.entry import Control, Entry
from flowlab.models import baselines

FLOWS = "Flows"
NFLOWS = "Flows as nflows ships them"
AUTOENCODERS = "Autoencoders"
CLASSICAL = "Classical rivals"
TRIVIAL = "Trivial rivals"
DETECTORS = "Detectors"

MODELS: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry("kde", "Kernel density", baselines.KDE, (), "The sum of a small bump on every training row.", CLASSICAL),
    )
}
