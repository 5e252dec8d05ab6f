"""Errors name Python arguments; the command line prints them as options."""

import errno
import signal

import pytest

from zoo.errors import UsageError, ZooError, as_options, exit_on_error, printable


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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\x1b[31mred\x07\x9b", "a[31mred"),
        ("one\ntwo\tthree", "one two three"),
        ("\u202egnp.exe\u2028\u200b", "gnp.exe"),
        ("caf\udce9 é 音", "caf\\udce9 é 音"),
    ],
)
def test_text_of_files_cannot_move_the_terminal(text, expected):
    assert printable(text) == expected


def test_an_error_is_printed_without_control_characters(capsys):
    def fail():
        raise ZooError("no \x1b]0;title\x07 here.")

    with pytest.raises(SystemExit):
        exit_on_error(fail)
    assert capsys.readouterr().err == "no ]0;title here.\n"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device; "),
        (NotADirectoryError(20, "Not a directory", "a/b"), "a/b: Not a directory; "),
        (RuntimeError("Unable to initialize backend 'x'"), "JAX has no platform 'no'"),
    ],
)
def test_errors_of_the_system_are_sentences(error, expected, capsys, monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "no")

    def fail():
        raise error

    with pytest.raises(SystemExit) as stop:
        exit_on_error(fail)
    assert stop.value.code in (1, 2)
    said = capsys.readouterr().err
    assert said.startswith(expected)
    assert said.count("\n") == 1


def test_a_bug_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        exit_on_error(lambda: 1 // 0)


def test_an_interruption_is_one_line(capsys, monkeypatch):
    set_handlers = []
    monkeypatch.setattr(signal, "signal", lambda *args: set_handlers.append(args))

    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as stop:
        exit_on_error(interrupt, "it goes on")
    assert stop.value.code == 130
    assert capsys.readouterr().err == "interrupted: it goes on.\n"
    assert set_handlers == [(signal.SIGINT, signal.SIG_IGN)]
