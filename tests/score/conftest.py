"""NLTK's data, found as the tests of the metrics find them."""

from tests.metrics.conftest import nltk_data as nltk_data
