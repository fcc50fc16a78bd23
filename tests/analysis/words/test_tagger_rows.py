"""The tagger's scores by rows give the labels of NLTK's own model, ties included."""

import random

from nltk.tag.perceptron import AveragedPerceptron

from analysis.words import tagging
from analysis.words.tagger_rows import RowModel
from probes.subjects.emoji.captions import describe
from probes.subjects.emoji.scenes import scenes

LABELS = {"DT", "JJ", "NN", "VB", "VBG"}


def test_random_weights_give_the_labels_of_nltks_model():
    generator = random.Random(0)
    # few different weights, so that equal sums are frequent
    weights = {
        f"f{i}": {label: generator.choice((-0.5, 0.1, 0.2, 1.0)) for label in generator.sample(sorted(LABELS), 3)} for i in range(20)
    }
    weights["f3"]["gone"] = 50.0
    reference = AveragedPerceptron(weights)
    reference.classes = LABELS
    rows = RowModel(weights, LABELS)
    for _ in range(2000):
        features = {f"f{generator.randrange(25)}": generator.choice((0, 1, 1, 1, 2)) for _ in range(generator.randrange(8))}
        assert rows.predict(features) == reference.predict(features)


def test_captions_get_the_tags_of_nltks_model(nltk_data):
    if not nltk_data:
        assert RowModel({}, LABELS).predict({"bias": 1}) == ("VBG", None), "without a weight the last label is taken, as NLTK does"
    else:
        from nltk.tag import PerceptronTagger

        reference = PerceptronTagger()
        for item in scenes(12):
            texts = [token.text for token in tagging.tokens(describe(item).lower())]
            assert tagging.tags(texts) == [tag for _, tag in reference.tag(texts)]
