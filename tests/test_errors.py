"""Errors name Python arguments; the command line prints them as options."""

import pytest

from zoo.errors import UsageError, ZooError, as_options, exit_on_error


def test_arguments_in_backticks_become_options():
    message = "`best_of` is 0: set `restore_step=4`, or use `zoo.load` or `LSTM`."
    expected = "--best-of is 0: set --restore-step 4, or use `zoo.load` or `LSTM`."
    assert as_options(message) == expected


@pytest.mark.parametrize(("error", "code"), [(ZooError, 1), (UsageError, 2)])
def test_an_error_is_printed_and_sets_the_exit_code(error, code, capsys):
    def fail():
        raise error("choose another `workdir`.")

    with pytest.raises(SystemExit) as stop:
        exit_on_error(fail)
    assert stop.value.code == code
    assert capsys.readouterr().err == "choose another --workdir.\n"
