"""Boosted regression trees as plain arrays: served without the library that grew them."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec


class Tree(msgspec.Struct, frozen=True, array_like=True):
    """A binary tree: node i goes left when x[feature[i]] <= threshold[i]; a child below 0 is the leaf ~child."""

    feature: tuple[int, ...]
    threshold: tuple[float, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    leaf: tuple[float, ...]

    def value(self, x: Sequence[float]) -> float:
        """The leaf that `x` falls into."""
        node = 0 if self.feature else -1
        while node >= 0:
            node = self.left[node] if x[self.feature[node]] <= self.threshold[node] else self.right[node]
        return self.leaf[~node]


class Forest(msgspec.Struct, frozen=True):
    """A sum of trees."""

    trees: tuple[Tree, ...]

    def predict(self, x: Sequence[float]) -> float:
        """Forecast of one row, in units of volatility."""
        return sum(tree.value(x) for tree in self.trees)


def grown(dump: Mapping[str, Any]) -> Forest:
    """The forest of a LightGBM model's `dump_model()` (numerical splits without missing values only).

    Raises:
        ValueError: a split of another kind.
    """
    return Forest(tuple(_tree(item["tree_structure"]) for item in dump["tree_info"]))


def _tree(root: Mapping[str, Any]) -> Tree:
    feature: list[int] = []
    threshold: list[float] = []
    left: list[int] = []
    right: list[int] = []
    leaf: list[float] = []

    def add(node: Mapping[str, Any]) -> int:
        if "leaf_value" in node:
            leaf.append(float(node["leaf_value"]))
            return ~(len(leaf) - 1)
        if node["decision_type"] != "<=" or node["missing_type"] != "None":
            raise ValueError(f"a split {node['decision_type']} with missing values {node['missing_type']}")
        at = len(feature)
        feature.append(int(node["split_feature"]))
        threshold.append(float(node["threshold"]))
        left.append(0)
        right.append(0)
        left[at] = add(node["left_child"])
        right[at] = add(node["right_child"])
        return at

    add(root)
    return Tree(tuple(feature), tuple(threshold), tuple(left), tuple(right), tuple(leaf))
