"""`python -m tests.cluster binaries [envtest|kind|all]`."""

import sys

from tests.cluster import binaries

SETS = {"envtest": binaries.ENVTEST, "all": binaries.ALL}
binaries.ensure(SETS[sys.argv[2] if len(sys.argv) > 2 else "all"])
