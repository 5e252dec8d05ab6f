"""Why a piece of music was not taken."""

from zoo.errors import ZooError


class Refused(ZooError):
    """A piece that cannot be read or encoded: `reason` is a code to count, `detail` a sentence."""

    def __init__(self, reason: str, detail: str):
        super().__init__(detail)
        self.reason = reason
        self.detail = detail

    def __reduce__(self):  # crosses process boundaries
        return type(self), (self.reason, self.detail)
