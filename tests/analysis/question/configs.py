"""The questions whose options tests go over, by name."""

from analysis.questions import ACROSS_SUBJECTS, QUESTIONS
from analysis.questions import options_of as config_of

__all__ = ["CONFIGS", "EVERY", "config_of"]
CONFIGS = tuple(QUESTIONS)
EVERY = (*CONFIGS, *ACROSS_SUBJECTS)
