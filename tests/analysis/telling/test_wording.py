"""Numbers as text."""

from analysis.telling.wording import brief


def test_a_brief_number_is_never_a_power_of_ten():
    assert [brief(value) for value in (0.0, 0.0123, 9.16, 51.3, 99.4, 99.6, 100.0, -148.4)] == [
        "0",
        "0.012",
        "9.2",
        "51",
        "99",
        "100",
        "100",
        "-148",
    ]
    assert [brief(value, 3) for value in (4.482, 999.4, 999.6, 2981.0)] == ["4.48", "999", "1000", "2981"]
