"""What can go wrong on disk and in the numbers: one sentence, and nothing saved is lost."""

import pytest
from child import finish, spawn
