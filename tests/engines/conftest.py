"""A cluster of each engine, started once for all tests."""

import pytest
from worlds import engines


@pytest.fixture(scope="module", params=["flink", "spark"])
def engine(request, tmp_path_factory) -> list[str]:
    """The Beam options of a running cluster, or a skip with the reason."""
    try:
        with engines.running(
            request.param, tmp_path_factory.mktemp(request.param) / "cluster"
        ) as found:
            yield found
    except engines.Missing as missing:
        pytest.skip(f"{request.param}: {missing}")
