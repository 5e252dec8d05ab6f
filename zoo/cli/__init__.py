"""The command line, one file per group of commands."""

from zoo.errors import end_imports_on_interrupt

end_imports_on_interrupt()
