"""Laws are judged by what they find, not by how long a shared machine takes to try them."""

from hypothesis import settings

settings.register_profile("steady", deadline=None)
settings.load_profile("steady")
