from hypothesis import given
from hypothesis import strategies as st

from opensqt.engine.grid import ArithmeticGrid, GeometricGrid, Grid, nearest

GRIDS: st.SearchStrategy[Grid] = st.one_of(
    st.builds(ArithmeticGrid, st.integers(1, 10**6), st.integers(1, 10**4)),
    st.builds(GeometricGrid, st.integers(100, 10**6), st.integers(500, 10**5)),
)


def test_arithmetic_levels_are_a_fixed_distance_apart() -> None:
    grid = ArithmeticGrid(1000, 10)
    assert [grid.level(index) for index in range(-2, 3)] == [980, 990, 1000, 1010, 1020]


def test_geometric_levels_are_a_fixed_ratio_apart() -> None:
    grid = GeometricGrid(40_000_0, 5_000)  # half a percent
    levels = [grid.level(index) for index in range(-3, 4)]
    assert levels == [394060, 396030, 398010, 400000, 402000, 404010, 406030]


def test_geometric_levels_do_not_drift_by_rounding() -> None:
    grid = GeometricGrid(10_000, 1_234)
    assert abs(grid.level(2000) - 10_000 * 1.001234**2000) <= 1
    assert abs(grid.level(-900) - 10_000 / 1.001234**900) <= 1


@given(GRIDS, st.integers(-60, 60))
def test_levels_rise_strictly_while_they_are_prices(grid: Grid, index: int) -> None:
    if grid.level(index) > 0:
        assert grid.level(index + 1) > grid.level(index)


@given(st.integers(2, 300), st.integers(1, 30_000))
def test_levels_closer_than_a_tick_are_a_tick_apart(anchor: int, ratio_ppm: int) -> None:
    grid = GeometricGrid(anchor, ratio_ppm)
    levels = [grid.level(index) for index in range(-anchor, anchor)]
    prices = [level for level in levels if level > 0]
    assert prices == sorted(set(prices))


@given(GRIDS, st.integers(1, 10**6))
def test_a_price_lies_between_its_level_and_the_next(grid: Grid, price: int) -> None:
    index = grid.below(price)
    assert grid.level(index) <= price < grid.level(index + 1)


@given(GRIDS, st.integers(1, 10**6))
def test_the_grid_price_is_the_nearest_level(grid: Grid, price: int) -> None:
    index = nearest(grid, price)
    distance = abs(price - grid.level(index))
    assert distance < abs(price - grid.level(index + 1))
    assert distance <= abs(price - grid.level(index - 1))


@given(st.integers(-20, 20))
def test_levels_do_not_depend_on_the_order_of_asking(index: int) -> None:
    fresh = GeometricGrid(5_000, 7_000)
    asked = GeometricGrid(5_000, 7_000)
    for other in (40, -40, -index):
        asked.level(other)
    assert asked.level(index) == fresh.level(index)
