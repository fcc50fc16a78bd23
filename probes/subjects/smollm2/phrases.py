"""The phrasings of every kind of sentence: templates in which ``[one|another]`` is a choice and ``{slot}`` is filled by the writer.

A slot that is written with a capital letter starts the sentence. No template names an object that CHAIR counts.
"""

PHRASES = {
    "opening": (
        "[The image|The picture|The photo|This picture|This image] [shows|depicts|captures|presents|portrays] {kind} with {things}.",
        "[This is|Here is|We are looking at] [a view|a scene|a picture] of {kind} with {things}.",
        "{Things} can be [seen|found|spotted] {where}.",
        "[At first glance|At first sight|Right away|First of all], [we can see|one notices|we notice|one can make out] {things} {where}.",
        "In this [image|picture|photo|view] of {kind}, [we can see|one can find|there is|one can spot] {things}.",
        "[The scene|The setting|The place] is {kind}, where {things} can be [seen|found|spotted].",
        "[Taken|Set] {where}, [the image|the picture|this photo] [shows|features|includes] {things}.",
        "{Where}, [there is|we can see|one can find|we find] {things}.",
    ),
    "further": (
        "[There is also|One can also find|We also find|The view also holds|The scene also includes] {things}.",
        "[Besides these|Apart from these|In addition|Next to them|Moving on], "
        "[there is also|one can also see|the scene includes] {things}.",
        "{Things} can be [seen|found|noticed] [too|as well|in the same view].",
        "[The rest of the view|The remaining part of the image|What is left of the view] [holds|shows|includes] {things}.",
        "[The image|The picture|The view] [also features|also contains|further includes] {things}.",
    ),
    "behind": (
        "[In the background|Further back|In the distance|Behind all this|Further away], [there is|one can spot|we can make out] {things}.",
        "[Looking closely|On a closer look|Upon closer inspection|Among the smaller details], "
        "[one finds|one can find|there is also] {things}.",
        "{Things} can also be [seen|found|spotted|noticed] [in the background|further back|in the distance].",
        "[Easily overlooked|Smaller than the rest|Small and easy to miss], {things} can be [found|seen] in the background.",
        "[A closer look reveals|The background holds|The background shows|Smaller details include] {things}.",
    ),
    "nothing": (
        "[Nothing else|Nothing more|No further detail] can be [made out|seen|found] [in the background|behind all this|further back].",
        "The background [is plain|is empty|holds nothing else|shows nothing more].",
    ),
    "side": (
        "The {b} is [to the right of|on the right of|further to the right than] the {a}.",
        "The {a} [is|can be seen|can be found] [to the left of|on the left of|further to the left than] the {b}.",
        "[From left to right|Going from left to right|Reading from left to right], the {a} comes before the {b}.",
        "[Compared to|In relation to] the {a}, the {b} is [further to the right|more to the right].",
        "[To the left of|On the left of] the {b}, [there is|one can see|we find] the {a}.",
        "[To the right of|On the right of] the {a}, [there is|one can see|we find] the {b}.",
    ),
    "height": (
        "The {a} is [higher in|placed higher in|closer to the top of|further up in] the [image|picture|view] than the {b}.",
        "The {b} is [lower in|placed lower in|closer to the bottom of|further down in] the [image|picture|view] than the {a}.",
        "[Going from top to bottom|From top to bottom|Looking from the top down], the {a} comes before the {b}.",
        "[Compared to|In relation to] the {b}, the {a} is [further up|higher up|placed higher].",
        "[Looking at the height|As for the height], the {b} is [lower|further down] than the {a}.",
    ),
    "larger": (
        "The {a} is [larger|bigger|clearly larger|clearly bigger] than the {b}.",
        "The {b} is [smaller|clearly smaller] than the {a}.",
        "[Compared to|In comparison with|Next to] the {b}, the {a} [looks|appears|is] [large|big|rather large].",
        "The {a} [takes up|covers|fills] more of the [view|image|picture] than the {b}.",
        "[In size|As for the size], the {a} [exceeds|surpasses] the {b}.",
    ),
    "one": (
        "There is [only one|just one|exactly one|a single] {a} in the [image|picture|view].",
        "[Only one|Just one|Exactly one|A single] {a} can be [seen|found|counted] [here|in the scene|in this view].",
        "[As for numbers|Counting them|In terms of numbers], there is [just one|only one|exactly one] {a}.",
        "[One can count|We count|We can see] [just one|only one|exactly one] {a}.",
    ),
    "many": (
        "There are {n} {many} in [the image|the picture|the view|total].",
        "[A total of|In all,|Altogether,] {n} {many} can be [seen|found|counted] [here|in the scene|in this view].",
        "[As for numbers|Counting them|In terms of numbers], there are {n} {many}.",
        "[One can count|We count|We can see] {n} {many} [in total|in all|altogether].",
    ),
    "place": (
        "The {a} [is|can be found|can be seen|is located|is placed] in the {place} of the [image|picture|view].",
        "[In|Looking at] the {place} of the [image|picture|view], [there is|we find|one can see] the {a}.",
        "The {place} of the [image|picture|view] is [where the {a} is|where the {a} can be found|occupied by the {a}].",
        "[As for|Regarding] the {a}, it is [located|placed|found] in the {place} of the [image|picture].",
    ),
    "size": (
        "The {a} [is|looks|appears] [rather|quite|fairly|comparatively] {size}.",
        "[As for|Regarding|Looking at] the {a}, it is [rather|quite|fairly] {size}.",
        "[One would call|One can call] the {a} [rather|quite|fairly] {size}.",
        "[In this view|In this image|In the picture], the {a} is [rather|quite|fairly] {size}.",
    ),
    "colour": (
        "The {a} is [mostly|mainly|largely|for the most part] {colour}.",
        "The [main color|dominant color|color] of the {a} is {colour}.",
        "[Most of|A large part of] the {a} is {colour}.",
        "[As for|Regarding|Looking at] the {a}, it is [mostly|mainly|largely] {colour}.",
        "[Its color|The color] makes the {a} [easy to recognize|stand out|easy to spot]: it is [mostly|mainly] {colour}.",
    ),
    "activity": (
        "[It is|This is] [a place|the kind of place] where one [can|may|would] [often|usually|typically] {activity}.",
        "[Such a place|A place like this] [is made|invites one|gives a chance|is a good spot] to {activity}.",
        "{Where}, one [can|may|would] [often|usually|typically] {activity}.",
        "[It looks like|It seems to be] [a good place|a nice place|the right place] to {activity}.",
    ),
    "mood": (
        "The [scene|place|view|image] [looks|feels|seems|appears] [rather|quite|fairly] {mood}.",
        "[Looking at it as a whole|Given all that is shown|Taking it all in], the [scene|view] [feels|looks|seems] {mood}.",
        "[The mood|The atmosphere|The feeling] of the [scene|image|picture] is [rather|quite|fairly] {mood}.",
    ),
    "closing": (
        "[Overall|All in all|In summary|Taken together], [the image|the scene|the picture] [gives|offers] "
        "[a clear|a simple|a plain] view of {kind}.",
        "[The whole|Everything together|All of this] [makes|forms|adds up to] [a typical|a simple|an ordinary|a familiar] view of {kind}.",
        "[Overall|All in all|In short|Finally], it [looks like|could be|seems to be] an ordinary [day|moment] {where}.",
        "[Overall|In summary|To sum up], the [image|picture|scene] [shows|captures|reflects] "
        "[a moment of|a part of] everyday life {where}.",
    ),
}
"""By kind of sentence."""
