"""What the table of growing models is made of."""

from benchmarks import growth


def test_all_ways_are_compared_with_the_burst_graph():
    """A model of no size, made and exported as the large ones are."""
    sizes = growth.Sizes(hidden_size=16, num_layers=1, vocabulary_size=20)

    found = growth.compare(growth.contestants(sizes.model(), 2), 2, num_rounds=1, at_least_s=0)

    assert {growth.BURST, growth.STEPS, growth.BARE} == set(found)
    assert 1.0 == found[growth.BURST]["ratio"]
    assert all(each["tokens_per_s"] > 0 for each in found.values())


def test_sizes_are_changed_one_at_a_time_or_all_with_each_other():
    """The bundled model is in both, once."""
    few, many = growth.sizes(full=False), growth.sizes(full=True)

    assert 5 + 3 + 3 == len(few)
    assert 5 * 4 * 4 == len(many)
    assert 1 == few.count(growth.Sizes()) == many.count(growth.Sizes())
    assert set(few) <= set(many)
