"""The error of a piece of music that cannot be read or encoded."""

from zoo.errors import ZooError


class Refused(ZooError):
    """A piece cannot be read or encoded.

    Attributes:
      reason: a short code, by which refusals are counted.
      detail: one sentence for the user.
    """

    def __init__(self, reason: str, detail: str):
        super().__init__(detail)
        self.reason = reason
        self.detail = detail

    def __reduce__(self):  # so that it can be sent to another process
        return type(self), (self.reason, self.detail)
