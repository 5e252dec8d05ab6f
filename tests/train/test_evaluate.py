"""Names of evaluation metrics."""

from zoo.train.evaluate import plain


def test_the_objective_is_part_of_a_name_only_if_there_are_several():
    assert plain({"fit/loss": 1.0, "fit/nll": 2.0}) == {"loss": 1.0, "nll": 2.0}
    game = plain({"critic/loss": 1.0, "generator/loss": 2.0})
    assert game == {"critic_loss": 1.0, "generator_loss": 2.0}
