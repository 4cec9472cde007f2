"""docs/complaints.md names a test for each complaint, and each of these tests exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_every_complaint_has_a_test_that_exists() -> None:
    rows = [line for line in (ROOT / "docs/complaints.md").read_text().splitlines() if re.match(r"\| \d+ ", line)]
    assert [int(row.split("|")[1]) for row in rows] == list(range(1, 16))
    for row in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", row)
        assert named, row
        for file, name in named:
            assert re.search(rf"def {name}\(", (ROOT / file).read_text()), f"{file}::{name}"
