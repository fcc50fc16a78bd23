"""Answers to POPE's questions as programs write them: with a question_id, with a key, or in the order of the questions."""

import re
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any

from analysis.datasets.files import json_objects, number_of, text_of
from analysis.datasets.pope_question import STRATEGIES, PopeQuestion, asked_for
from analysis.metrics.metric import Answer
from probes.command.cli import BadInput

SAID = ("answer", "text", "response", "output", "caption")  # the last: as `analysis.benchmark` writes all answers
SORT = ("strategy", "category")
ASKED = ("question", "prompt")
LLAVA, LLAVAS = 10_000_000, ("adversarial", "random", "popular")
"""LLaVA's one file of all questions numbers these strategies from 1, 10,000,001 and 20,000,001 on."""

_STRATEGY = re.compile("|".join(STRATEGIES))


def read_pope_answers(path: str | Path, questions: Sequence[PopeQuestion]) -> list[Answer]:
    """The answers of a file, or of a folder with one file a strategy (``..._random....jsonl``), in the order of the files' lines.

    The answer is the line's ``answer``, ``text``, ``response``, ``output`` or ``caption``, the first that there is. The question is told by

    * ``key``, such as "random/17"; or
    * ``question_id``, with the strategy from the line's ``strategy`` or ``category``, else from the file's name, else the only one that
      the questions have, else from the number itself (`LLAVA`), where the line's ``prompt`` shows that it is so; or
    * nothing (the layout of POPE's authors): then a file has as many lines as its strategy has questions, in their order, and a line's
      ``question``, where it has one, must be the one that was asked.

    A ``question`` or ``prompt`` that asks for another object than the question it is taken for is an error in each layout.

    Raises
    ------
    BadInput : no such file; a line without answer; a question that cannot be told, was not asked, or is answered twice
    """
    path = Path(path)
    asked = {question.key: question for question in questions}
    found: dict[str, Answer] = {}
    for file in answer_files(path):
        named = _STRATEGY.findall(file.stem)
        of_file = named[0] if len(set(named)) == 1 else ""
        ordered = 0
        for where, line in json_objects(file):
            if not ("key" in line or "question_id" in line):
                sisters = _sisters(questions, of_file, file)
                if ordered == len(sisters):
                    raise BadInput(f"{where}: answers in the order of the questions, but there are only {len(sisters)} questions.")
                question = _in_place(sisters[ordered], line, where)
                ordered += 1
            else:
                key = _key(line, of_file or _only(questions), asked, where)
                if key not in asked:
                    raise BadInput(f"{where}: question {key[:80]!r} was not asked; give the questions that were, or remove the line.")
                question = _same_object(asked[key], line, where)
            if question.key in found:
                raise BadInput(f"{where}: question {question.key!r} is answered twice; remove one of the two.")
            found[question.key] = Answer(question.image_id, _said(line, question, where), question.key, question.image)
        if ordered and ordered < len(_sisters(questions, of_file, file)):
            sisters = _sisters(questions, of_file, file)
            raise BadInput(f"{file}: {ordered} answers in the order of the questions, which are {len(sisters)}; the file may be cut off.")
    return list(found.values())


def answer_files(path: Path) -> list[Path]:
    """The files that `read_pope_answers` reads.

    Raises
    ------
    BadInput : a folder with none
    """
    if not path.is_dir():
        return [path]
    found = [file for file in sorted(path.iterdir()) if file.suffix in (".json", ".jsonl") and _STRATEGY.search(file.stem)]
    if not found:
        raise BadInput(f"{path}: no file of answers in this folder whose name tells a strategy ({', '.join(STRATEGIES)}).")
    return found


def _key(line: dict[str, Any], strategy: str, asked: Container[str], where: str) -> str:
    if "key" in line:
        return text_of(line, "key", where)
    if isinstance(line["question_id"], str) and "/" in line["question_id"]:
        return line["question_id"]
    told = next((line[name] for name in SORT if isinstance(line.get(name), str)), strategy)
    number = number_of(line, "question_id", where)
    key = f"{told}/{number}"
    part, rest = divmod(number, LLAVA)
    if key not in asked and (part or not told) and part < len(LLAVAS) and _object_of(line):
        return f"{LLAVAS[part]}/{rest}"
    if not told:
        raise BadInput(f"{where}: the strategy cannot be told; add a 'strategy' ({', '.join(STRATEGIES)}), or name the file after it.")
    return key


def _only(questions: Sequence[PopeQuestion]) -> str:
    found = {question.strategy for question in questions}
    return next(iter(found)) if len(found) == 1 else ""


def _sisters(questions: Sequence[PopeQuestion], strategy: str, file: Path) -> list[PopeQuestion]:
    strategy = strategy or _only(questions)
    if not strategy:
        raise BadInput(f"{file}: answers without question_id need one file a strategy, named after it ({', '.join(STRATEGIES)}).")
    return [question for question in questions if question.strategy == strategy]


def _in_place(question: PopeQuestion, line: dict[str, Any], where: str) -> PopeQuestion:
    told = line.get("question")
    if isinstance(told, str) and not _object_of(line) and question.text.strip().casefold() not in told.casefold():
        raise _another(told, question, where)
    return _same_object(question, line, where)


def _same_object(question: PopeQuestion, line: dict[str, Any], where: str) -> PopeQuestion:
    other = _object_of(line)
    if other and question.object and other.casefold() != question.object.casefold():
        raise _another(_asked(line), question, where)
    return question


def _another(told: str, question: PopeQuestion, where: str) -> BadInput:
    return BadInput(f"{where}: this answers {told[:60]!r}, but {question.text[:60]!r} was asked here (question {question.key}).")


def _object_of(line: dict[str, Any]) -> str:
    """What a line says that it was asked for; "" where it does not say it in POPE's words."""
    told = _asked(line)
    return asked_for(told) if "?" in told else ""


def _asked(line: dict[str, Any]) -> str:
    return next((line[name] for name in ASKED if isinstance(line.get(name), str)), "")


def _said(line: dict[str, Any], question: PopeQuestion, where: str) -> str:
    name = next((name for name in SAID if name in line), None)
    if name is None:
        raise BadInput(f"{where}: no answer; it is looked for as {', '.join(SAID)}.")
    said = text_of(line, name, where)
    if said == question.text:  # which every parser but one would take for a yes
        raise BadInput(f"{where}: the answer is the question itself; is this the file of questions?")
    return said
