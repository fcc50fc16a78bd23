"""What this package refuses, and what it will not let pass in silence."""


class Unsupported(ValueError):
    """A model, cache or kind of decoding that the method cannot serve; the message is one line and names a way out where there is one."""


class NothingSmoothed(RuntimeError):
    """The model decoded inside a `with` block of the method, and the method touched nothing."""
