"""The objects that the bundled subject knows.

They are COCO's, under COCO's names and numbers, as far as OpenMoji has a glyph that shows the object itself: there is, for instance,
no oven, and the glyphs for a surfboard or a snowboard show a person.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Category:
    """One of COCO's objects, how it is drawn and how a caption names it.

    Parameters
    ----------
    name
        COCO's name.
    coco_id
        COCO's number.
    glyphs
        The characters of the OpenMoji font that show it.
    noun
        The singular noun phrase without an article.
    plural
        The plural noun phrase.
    """

    name: str
    coco_id: int
    glyphs: str
    noun: str = ""
    plural: str = ""

    def __post_init__(self) -> None:
        if not self.glyphs:
            raise ValueError(f"Category.glyphs must name at least one character; got {self.glyphs!r}.")
        object.__setattr__(self, "noun", self.noun or self.name)
        object.__setattr__(self, "plural", self.plural or self.noun + "s")

    @property
    def article(self) -> str:
        """The indefinite article that the noun phrase takes."""
        return "an" if (self.noun[0] in "aeiou" and not self.noun.startswith("u")) or self.noun == "umbrella" else "a"


CATEGORIES = (
    Category("person", 1, "\U0001f9cd\U0001f6b6", plural="people"),
    Category("bicycle", 2, "\U0001f6b2"),
    Category("car", 3, "\U0001f697\U0001f699"),
    Category("motorcycle", 4, "\U0001f3cd\U0001f6f5"),
    Category("airplane", 5, "✈\U0001f6e9"),
    Category("bus", 6, "\U0001f68c", plural="buses"),
    Category("train", 7, "\U0001f682\U0001f686"),
    Category("truck", 8, "\U0001f69a\U0001f69b"),
    Category("boat", 9, "⛵\U0001f6a4"),
    Category("traffic light", 10, "\U0001f6a6\U0001f6a5"),
    Category("stop sign", 13, "\U0001f6d1"),
    Category("bird", 16, "\U0001f426\U0001f99c"),
    Category("cat", 17, "\U0001f408"),
    Category("dog", 18, "\U0001f415"),
    Category("horse", 19, "\U0001f40e"),
    Category("sheep", 20, "\U0001f411", plural="sheep"),
    Category("cow", 21, "\U0001f404"),
    Category("elephant", 22, "\U0001f418"),
    Category("bear", 23, "\U0001f43b"),
    Category("zebra", 24, "\U0001f993"),
    Category("giraffe", 25, "\U0001f992"),
    Category("backpack", 27, "\U0001f392"),
    Category("umbrella", 28, "☂\U0001f302"),
    Category("handbag", 31, "\U0001f45c\U0001f45b"),
    Category("tie", 32, "\U0001f454"),
    Category("suitcase", 33, "\U0001f9f3\U0001f4bc"),
    Category("frisbee", 34, "\U0001f94f"),
    Category("skis", 35, "\U0001f3bf", noun="pair of skis", plural="pairs of skis"),
    Category("sports ball", 37, "⚽\U0001f3c0", noun="ball"),
    Category("kite", 38, "\U0001fa81"),
    Category("skateboard", 41, "\U0001f6f9"),
    Category("bottle", 44, "\U0001f37e\ue0cb"),
    Category("wine glass", 46, "\U0001f377", plural="wine glasses"),
    Category("cup", 47, "☕\U0001f964"),
    Category("knife", 49, "\U0001f52a", plural="knives"),
    Category("spoon", 50, "\U0001f944"),
    Category("bowl", 51, "\U0001f963\U0001f35c"),
    Category("banana", 52, "\U0001f34c"),
    Category("apple", 53, "\U0001f34e\U0001f34f"),
    Category("sandwich", 54, "\U0001f96a\U0001f354", plural="sandwiches"),
    Category("orange", 55, "\U0001f34a\ue0c0"),
    Category("broccoli", 56, "\U0001f966", noun="piece of broccoli", plural="pieces of broccoli"),
    Category("carrot", 57, "\U0001f955"),
    Category("hot dog", 58, "\U0001f32d"),
    Category("pizza", 59, "\U0001f355"),
    Category("donut", 60, "\U0001f369\U0001f96f"),
    Category("cake", 61, "\U0001f382\U0001f370"),
    Category("chair", 62, "\U0001fa91"),
    Category("couch", 63, "\U0001f6cb", plural="couches"),
    Category("potted plant", 64, "\U0001fab4"),
    Category("bed", 65, "\U0001f6cf"),
    Category("dining table", 67, "\ue200"),
    Category("toilet", 70, "\U0001f6bd"),
    Category("tv", 72, "\U0001f4fa", noun="TV"),
    Category("laptop", 73, "\U0001f4bb"),
    Category("mouse", 74, "\U0001f5b1", plural="mice"),
    Category("keyboard", 76, "⌨"),
    Category("cell phone", 77, "\U0001f4f1"),
    Category("book", 84, "\U0001f4d6\U0001f4d5"),
    Category("clock", 85, "\U0001f570⏰"),
    Category("vase", 86, "\U0001f3fa"),
    Category("scissors", 87, "✂", noun="pair of scissors", plural="pairs of scissors"),
    Category("teddy bear", 88, "\U0001f9f8"),
    Category("toothbrush", 90, "\U0001faa5", plural="toothbrushes"),
)
BY_NAME = {category.name: category for category in CATEGORIES}


def object_forms() -> dict[str, tuple[str, ...]]:
    """By COCO's name, the words that the subject's captions say for the object itself, singular and plural.

    A measure before it ("pair of skis", "piece of broccoli") is left out: "pair" begins skis and scissors alike, and the word that counts
    as the mention is the one behind it.
    """
    return {c.name: tuple(dict.fromkeys(noun.rpartition(" of ")[2] for noun in (c.noun, c.plural))) for c in CATEGORIES}
