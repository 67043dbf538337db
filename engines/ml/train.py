"""Trains the boosted trees in a process of its own: `python -m engines.ml.train FOLDER`."""

import os
import sys
from pathlib import Path

import numpy as np

from engines.ml.card import judge
from engines.ml.config import CONFIG, Daily
from engines.ml.dataset import digest, split
from engines.ml.forest import grown
from engines.ml.shelf import Artefact, save


def train(config: Daily = CONFIG.daily) -> Artefact:
    """Grow the trees on the training samples; deterministic on one machine."""
    import lightgbm

    learnt, judged = split(config)
    settings = {
        "objective": "regression",
        "num_leaves": config.leaves,
        "learning_rate": config.learning_rate,
        "min_data_in_leaf": config.leaf_rows,
        "use_missing": False,
        "deterministic": True,
        "num_threads": 1,
        "seed": config.seed,
        "verbosity": -1,
    }
    booster = lightgbm.train(settings, lightgbm.Dataset(learnt.x, learnt.y), config.trees)
    forest = grown(booster.dump_model())
    forecast = np.array([forest.predict(row) for row in judged.x.tolist()])
    parameters = {
        "trees": float(config.trees),
        "leaves": float(config.leaves),
        "learning_rate": config.learning_rate,
        "min_data_in_leaf": float(config.leaf_rows),
    }
    return Artefact(digest(config), judge("lightgbm", parameters, forecast, learnt, judged, config), forest)


def main() -> None:
    """Train and save, at the lowest priority."""
    if hasattr(os, "nice"):
        os.nice(19)
    save(Path(sys.argv[1]), train())


if __name__ == "__main__":
    main()
