"""Page."""


def filled(text, found):
    """As it is."""
    return text
