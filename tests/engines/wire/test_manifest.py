"""Manifests: all mistakes at once, ranks, and what the real thirteen say."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.wire.errors import ManifestErrors, UnknownName
from engines.wire.manifest import ROOT, Manifest, discover, pick, ranks
from engines.wire.messages import TOPICS

GOOD = 'name = "{name}"\ntitle = "T"\nport = {port}\n'


def write(root: Path, name: str, text: str) -> None:
    (root / name).mkdir()
    (root / name / "engine.toml").write_text(text)


def test_five_mistakes_are_five_mistakes(tmp_path: Path) -> None:
    write(
        tmp_path, "alpha", 'name = "beta"\nport = 80\nconsumes = ["trade"]\nwobble = 1\n[limits]\nmemory_mb = "much"\n'
    )
    with pytest.raises(ManifestErrors) as caught:
        discover(tmp_path)
    text = "\n".join(caught.value.mistakes)
    for part in (
        "name is 'beta', the folder is 'alpha'",
        "title is missing",
        "port: 80 is outside",
        "Did you mean 'trades'?",
        "no field 'wobble'",
        "limits: Expected `int`",
    ):
        assert part in text
    assert len(caught.value.mistakes) == 6


def test_mistakes_of_all_files_and_between_them(tmp_path: Path) -> None:
    write(tmp_path, "a", GOOD.format(name="a", port=2000) + 'after = ["bb"]\n')
    write(tmp_path, "b", GOOD.format(name="b", port=2000))
    write(tmp_path, "c", "name = \n")
    with pytest.raises(ManifestErrors) as caught:
        discover(tmp_path)
    assert [line.partition(":")[0] for line in caught.value.mistakes] == ["c/engine.toml", "a", "b"]


def test_a_circle_is_named(tmp_path: Path) -> None:
    write(tmp_path, "a", GOOD.format(name="a", port=2000) + 'after = ["b"]\n')
    write(tmp_path, "b", GOOD.format(name="b", port=2001) + 'after = ["a"]\n')
    with pytest.raises(ManifestErrors, match="wait for each other: a, b"):
        discover(tmp_path)


def test_no_manifest_at_all(tmp_path: Path) -> None:
    with pytest.raises(ManifestErrors, match="no folder holds"):
        discover(tmp_path)


def test_the_thirteen() -> None:
    manifests = discover(ROOT)
    assert len(manifests) == 13
    assert [m.port for m in manifests] == sorted(m.port for m in manifests)
    published = {topic for m in manifests for topic in m.publishes} | {"fleet", "funding"}  # supervisor, operator
    for manifest in manifests:
        assert set(manifest.consumes) <= published
        assert any(request.path == "/health" for request in manifest.load)
    assert published <= TOPICS.keys()


def test_unknown_engine_suggests_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'risk'"):
        pick(discover(ROOT), "rsik")


@given(st.integers(1, 12), st.randoms(use_true_random=False))
def test_ranks_put_dependencies_first(count: int, random) -> None:
    names = [f"e{n}" for n in range(count)]
    manifests = [
        Manifest(
            name=name, title="", port=2000 + n, after=tuple(random.sample(names[:n], random.randint(0, min(n, 3))))
        )
        for n, name in enumerate(names)
    ]
    random.shuffle(manifests)
    started: set[str] = set()
    for rank in ranks(manifests):
        assert all(set(m.after) <= started for m in rank)
        started |= {m.name for m in rank}
    assert started == set(names)
