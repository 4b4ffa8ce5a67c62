"""Docstrings, comments, messages and pages are plain technical English: phrases that a native engineer stumbles over.

Checked are the comments and string literals of Python files, the comments of recipes, and whole Markdown pages.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

ROOT = Path(__file__).parents[1]

DONE = (
    "stackc",
    "plugins",
    "recipes",
    "docs",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "RELEASING.md",
)
"""Files and folders that are checked, relative to the checkout."""


@attrs.frozen
class Phrase:
    """A phrase to avoid. A space in `pattern` matches any white space.

    Attributes:
        pattern: a regular expression.
        better: what to write instead.
        wrong: a sentence that the pattern finds.
        right: the same in plain English; no pattern finds anything in it.
    """

    pattern: str
    better: str
    wrong: str
    right: str


PHRASES = (
    Phrase(
        r"\b(bits|bytes|operations|symbols|tokens|rows|texts|MB) an? "
        r"(source )?(byte|token|second|parameter|lane|symbol|window|word)\b",
        "bits per byte, tokens per second",
        "It takes 2.1 bits a byte.",
        "It takes 2.1 bits per byte.",
    ),
    Phrase(
        r"\b(one|a line|a run|a row|a number|a stream) an? "
        r"(line|stage|level|block|document|point|device|token|window|text)\b"
        r"|\ba (token|row|line|code|byte|text|process|thread) each\b",
        "one per line",
        "Names, one a line.",
        "Names, one per line.",
    ),
    Phrase(
        r"\b(go|goes|going|went|gone) on\b(?! (a|an|the|this|that|its|one|top|standard)\b)",
        "continue, resume",
        "A killed build goes on where it was.",
        "A killed build resumes.",
    ),
    Phrase(
        r"(?<![Tt]here\s)\b(is|are|was) none\b",
        "is not a, is not one of, invalid, missing",
        "Raises an error for a recipe that is none.",
        "Raises an error for an invalid recipe.",
    ),
    Phrase(
        r"(?<![Tt]here\s)\b(is|are) no (?!(longer|more|less|fewer|such|one|need)\b)[a-z]",
        "is not a",
        "A value that is no symbol of the alphabet.",
        "A value that is not a symbol of the alphabet.",
    ),
    Phrase(
        r"\bheld to\b|\bh[eo]ld(s|ing)? (\w+ ){0,3}against\b",
        "checked against, compared with",
        "Every size is held against its bound.",
        "Every size is checked against its bound.",
    ),
    Phrase(
        r"\b(is|are|was|were|be|being) told\b|: told\b|\btells? of\b",
        "receives, is given, reports, records",
        "report: told the bytes done; the trailer tells of more.",
        "report: receives the bytes done; the trailer records more.",
    ),
    Phrase(r"\bstands? for\b", "represents", "None stands for standard input.", "None represents standard input."),
    Phrase(r"\bbeside\b", "next to, besides", "A file beside the source.", "A file next to the source."),
    Phrase(
        r"\b(lies|lying) (in|at|on|between|beside|below|above|there)\b",
        "is stored in, is in",
        "The folder that it lies in.",
        "The folder that it is stored in.",
    ),
    Phrase(r"\bof (its|their) own kind\b", "name the kind", "An error of its own kind.", "A separate kind of error."),
    Phrase(
        r"\bfrom (the |a )?(?!now\b)[\w`.']+( \w+)? on(?=[,.;:)\"]|$)|\bfrom which on\b",
        "starting at",
        "The header, from the first byte on.",
        "The header, starting at the first byte.",
    ),
    Phrase(
        r"\ban? ([\w`-]+ ){1,3}of (its|their|our) own\b(?! [a-z])",
        "its own trainer; no trainer of its own",
        "A coder with a trainer of its own.",
        "A coder with its own trainer; one with no trainer of its own.",
    ),
    Phrase(
        r"\ba training\b(?! (budget|corpus|curve|loop|row|run|set|stage|step|task|text)\b)|\b[Tt]rainings\b",
        "training, a training stage",
        "A training that was killed; two trainings.",
        "Training that was killed; two training stages.",
    ),
    Phrase(r"\banew\b", "again", "Windows are cut anew.", "Windows are cut again."),
    Phrase(
        r"(?:^|\n\n|[.!?;] )What (is|was|are|were|cannot|does not) [^.:;?]{1,60} "
        r"(is|are|was|were|counts?|stays?|follows?) ",
        "name the noun: Rare texts are dropped.",
        "Two tables. What was dropped is taken as seen once.",
        "Two tables. Texts that were dropped are taken as seen once.",
    ),
    Phrase(
        r"(?:^|\n\n|[.!?;] )Where (?!a |to |each |every |tokens )[^.:;,?]{4,90}, "
        r"(?!(and|before|compiled|given|in|of)\b)",
        "if, when",
        "It is a mask. Where nothing is cut, it is empty.",
        "It is a mask. If nothing is cut, it is empty.",
    ),
    Phrase(r"\bthan (it|they) may\b", "than allowed", "It takes more memory than it may.", "More than allowed."),
    Phrase(r"\bas of `", "see `x`, same as `x`", "verify: as of `Level.encode`.", "verify: see `Level.encode`."),
    Phrase(
        r"\bnot well\b|\ball is well\b",
        "failed: …, all checks passed",
        "All parts: all is well.",
        "All checks passed.",
    ),
    Phrase(
        r"\bneeds [\w-]+ \d[\d.]*\b|, here is \d",
        "requires NAME>=5 (found 4.2)",
        "It needs transformers 5, here is 4.2.",
        "It requires transformers>=5 (found 4.2).",
    ),
    Phrase(
        r"\b(give|gives|giving|gave|given) (\w+ ){0,3}back\b|\b(come|comes|came|coming) back\b",
        "returns, restores, decompresses",
        "Gives the files back; nothing else comes back.",
        "Decompresses the files; nothing else is restored.",
    ),
    Phrase(
        r"\banswers? (alike|otherwise|the same)\b|\bmodels?'s? answers\b",
        "predictions",
        "A model that answers otherwise: its model's answers are not portable.",
        "A model that predicts differently: its predictions are not portable.",
    ),
    Phrase(
        r"\bnot what the manifest says\b",
        "SHA-256 does not match the manifest",
        "part.bin: not what the manifest says",
        "part.bin: SHA-256 does not match the manifest",
    ),
    Phrase(
        r"\bwhere (there (is|are) (no|one|nothing)|none|nothing|not|several|all (have|is)|it (is none|can|cannot))\b"
        r"|\b([Nn]one|-1) where\b",
        "if, when, unless",
        "None where there is no model.",
        "None if there is no model.",
    ),
    Phrase(
        r"\b(of|for|with|every) so many\b",
        "name the number",
        "Files of so many blocks.",
        "Files of `count` blocks.",
    ),
    Phrase(
        r"\bone (token|piece|code|byte|symbol|text) an? (token|window|word|level|code|symbol|block|document)\b",
        "one token per window",
        "Levels with one token a window.",
        "Levels with one token per window.",
    ),
    Phrase(
        r"\bruns? of (the )?(\w+ )?(symbols|blanks|letters|bytes|tokens|segments|documents|blocks|values)\b",
        "sequence of: a run is what a sweep builds",
        "A run of equal symbols.",
        "A sequence of equal symbols.",
    ),
)

COMPILED = [(re.compile(phrase.pattern.replace(" ", r"\s+")), phrase.better) for phrase in PHRASES]


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """(first line, text) of everything in a file that a person reads."""
    content = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        yield 1, content
    elif path.suffix == ".toml":
        yield from ((number, line) for number, line in enumerate(content.splitlines(), 1) if line.startswith("#"))
    else:
        yield from _parts(content)


_MARKS = re.compile(r"""^#+\s?|^[a-zA-Z]*["']+|["']+$""")
"""Around the text of a comment or of a string literal."""


def _parts(content: str) -> list[tuple[int, str]]:
    """Comments and strings of a Python file; those that continue each other, over several lines, are one text."""
    strings = {tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
    skipped = {getattr(tokenize, name, tokenize.NL) for name in ("NL", "FSTRING_START", "FSTRING_END")}
    parts: list[tuple[int, str]] = []
    before = 0
    for token in tokenize.generate_tokens(io.StringIO(content).readline):
        kind = tokenize.STRING if token.type in strings else token.type
        if kind in skipped:
            continue
        if kind in (tokenize.COMMENT, tokenize.STRING):
            marked = token.type in (tokenize.COMMENT, tokenize.STRING)
            text = _MARKS.sub("", token.string) if marked else token.string
            if kind == before:
                first, start = parts.pop()
                lines = token.start[0] - first - start.count("\n")
                parts.append((first, start + "\n" * lines + text))
            else:
                parts.append((token.start[0], text))
        before = kind
    return parts


def found(text: str) -> list[tuple[int, str, str]]:
    """(lines before it, phrase, better wording) of every phrase to avoid."""
    text = re.sub(r"\n[ \t]+", "\n", text)
    return [
        (text.count("\n", 0, match.start()), " ".join(match[0].split()), better)
        for pattern, better in COMPILED
        for match in pattern.finditer(text)
    ]


def files(place: str) -> list[Path]:
    path = ROOT / place
    return [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.suffix in (".py", ".md", ".toml"))


@pytest.mark.parametrize("place", DONE)
def test_sentences_are_plain_english(place: str) -> None:
    assert files(place), "nothing to check: the file or folder was moved"
    problems = [
        f"{path.relative_to(ROOT)}:{first + lines}: {phrase!r}: write: {better}"
        for path in files(place)
        for first, text in texts(path)
        for lines, phrase, better in found(text)
    ]
    assert not problems, "\n" + "\n".join(problems)


@pytest.mark.parametrize("phrase", PHRASES, ids=lambda phrase: phrase.better)
def test_every_pattern_finds_its_phrase_and_not_the_plain_one(phrase: Phrase) -> None:
    assert phrase.better in {better for _, _, better in found(phrase.wrong.replace(" ", "\n", 3))}
    assert found(phrase.right) == []


def test_docstrings_comments_and_messages_are_read(tmp_path: Path) -> None:
    path = tmp_path / "part.py"
    path.write_text('"""None stands\nfor x."""\n# a file beside it\nraise ValueError(f"{1} lies in {2}")\n')
    assert [(first + lines, one) for first, text in texts(path) for lines, one, _ in found(text)] == [
        (1, "stands for"),
        (3, "beside"),
        (4, "lies in"),
    ]


def test_a_phrase_is_found_where_a_line_ends_in_it(tmp_path: Path) -> None:
    path = tmp_path / "part.py"
    path.write_text(
        'x = 1\n# None stands\n# for x\ny = (\n    f"{x}: it lies "\n    f"in {x}"\n)\nz = ["it lies ", "in"]\n'
    )
    assert [(first + lines, one) for first, text in texts(path) for lines, one, _ in found(text)] == [
        (2, "stands for"),
        (5, "lies in"),
    ]
