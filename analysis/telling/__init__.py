"""Result pages: how results are worded, and where they are inserted in a page."""
