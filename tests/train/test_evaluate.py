"""What metrics are called once the objectives are behind them."""

from zoo.train.evaluate import plain


def test_of_one_objective_by_their_names_and_of_several_by_both():
    assert plain({"fit/loss": 1.0, "fit/nll": 2.0}) == {"loss": 1.0, "nll": 2.0}
    game = plain({"critic/loss": 1.0, "generator/loss": 2.0})
    assert game == {"critic_loss": 1.0, "generator_loss": 2.0}
