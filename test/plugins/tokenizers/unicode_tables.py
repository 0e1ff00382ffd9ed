"""Writes plugins/tokenizers/hf/text/unicode_tables.ts: what Python's `tokenizers` takes each character for, asked of it.

The library's parts know different versions of Unicode. Only what no JavaScript engine's own tables can tell is written
down: classes of old versions whole, of new ones what was assigned last, so that engines of both versions agree.

    python test/plugins/tokenizers/unicode_tables.py [--hashes]

With --hashes it writes test/fixtures/unicode_classes.json, the SHA-256 of each class over all planes that have characters,
which the test compares on every runtime.
"""
import hashlib, json, subprocess, sys
from tokenizers import Regex, __version__, normalizers as N, pre_tokenizers as P

ALL = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]


def ranges(chars):
    out = []
    for c in sorted(chars):
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def packed(chars):
    """Distance from the last range's end, and length less one where that is more than one, in base 36."""
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"

    def base36(n):
        s = ""
        while True:
            n, r = divmod(n, 36)
            s = digits[r] + s
            if n == 0:
                return s

    at, out = 0, []
    for a, b in ranges(chars):
        out.append(base36(a - at) + ("-" + base36(b - a) if b > a else ""))
        at = b
    return " ".join(out)


def by_regex(pattern):
    n = N.Replace(Regex(pattern), "")
    return {c for c in ALL if n.normalize_str(chr(c)) == ""}


def removed(part, text=lambda c: chr(c)):
    run = part.normalize_str if hasattr(part, "normalize_str") else part.pre_tokenize_str
    return {c for c in ALL if len(run(text(c))) == 0}


def classes():
    whitespace, digits = P.Whitespace(), P.Digits(True)
    return {
        "control": removed(N.BertNormalizer(True, False, False, False)),
        "nonspacing": removed(N.BertNormalizer(False, False, True, False)),
        "mark": removed(N.StripAccents()),
        "punctuation": removed(P.Punctuation("removed")),
        "whitespace": removed(P.WhitespaceSplit()),
        "numeric": {c for c in ALL if len(digits.pre_tokenize_str("a" + chr(c))) == 2},
        "word": {c for c in ALL if whitespace.pre_tokenize_str("a" + chr(c))[0][0] == "a" + chr(c)},
        **{p: by_regex(p) for p in [
            r"\w", r"\d", r"\s", r"\h", r"\p{L}", r"\p{Lu}", r"\p{Ll}", r"\p{Lt}", r"\p{Lm}", r"\p{Lo}", r"\p{M}",
            r"\p{N}", r"\p{P}", r"\p{S}", r"\p{Z}", r"\p{C}", r"\p{Cn}", r"\p{Alphabetic}", r"\p{Han}", r"\p{Latin}",
            r"[[:alpha:]]", r"[[:alnum:]]", r"[[:punct:]]", r"[[:graph:]]", r"[[:print:]]", r"[[:lower:]]",
            r"[[:upper:]]", r"[[:blank:]]", r"[[:cntrl:]]", r"[[:word:]]", r"\p{^L}", r"[^\p{L}\d]",
        ]},
    }


def mapped(form):
    n = getattr(N, form)()
    return {c: n.normalize_str(chr(c)) for c in ALL}


def hashes():
    some = [c for c in ALL if c < 0x34000 or 0xE0000 <= c < 0xE0200 or 0xF0000 <= c < 0xF0100]
    out = {}
    for name, chars in classes().items():
        out[name] = hashlib.sha256(bytes(1 if c in chars else 0 for c in some)).hexdigest()[:16]
    for form in ["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Nmt"]:
        made = mapped(form)
        out[form] = hashlib.sha256("\n".join(made[c] for c in some).encode()).hexdigest()[:16]
    with open("test/fixtures/unicode_classes.json", "w") as file:
        json.dump(out, file, indent=2)
        file.write("\n")


# What the engine has assigned, its marks, and what it takes apart: asked of a Node that knows Unicode 17.
ENGINE = r"""
const [assigned, marks, apart] = [[], [], []];
for (let c = 0; c < 0x110000; c++) {
  if (c >= 0xd800 && c <= 0xdfff) continue;
  const s = String.fromCodePoint(c);
  if (/\P{Cn}/u.test(s)) assigned.push(c);
  if (/\p{M}/u.test(s)) marks.push(c);
  if (s.normalize("NFKD") !== s) apart.push([c, s.normalize("NFD"), s.normalize("NFKD")]);
}
console.log(JSON.stringify({ version: process.versions.unicode, assigned, marks, apart }));
"""


def write():
    engine = json.loads(subprocess.check_output(["node", "-e", ENGINE]))
    assert engine["version"] == "17.0", "Node's Unicode is " + engine["version"]
    all_classes = classes()
    tables = {name: packed(all_classes[name]) for name in ["control", "nonspacing", "mark", "punctuation"]}
    nfd, nfkd = mapped("NFD"), mapped("NFKD")
    tables["whole"] = packed(c for c, d, k in engine["apart"] if nfd[c] != d or nfkd[c] != k)
    known = by_regex(r"\P{Cn}")
    tables["latest"] = packed(c for c in engine["assigned"] if c not in known and not 0xD800 <= c <= 0xDFFF)
    tables["latestMarks"] = packed(c for c in engine["marks"] if c not in known)
    with open("plugins/tokenizers/hf/text/unicode_tables.ts", "w") as file:
        file.write(HEAD % __version__)
        for name, table in tables.items():
            file.write(f"/** {DOC[name]} */\nexport const {name} =\n  \"{table}\";\n")


HEAD = '''/**
 * Written by test/plugins/tokenizers/unicode_tables.py from what Python's tokenizers %s takes each character for.
 * Each range is its distance from the end of the one before and its length less one, in base 36.
 * @module
 */

'''
DOC = {
    "control": "What BERT's normalizer removes as control characters.",
    "nonspacing": "Nonspacing marks of Unicode 8, which BERT's normalizer strips.",
    "mark": "Marks of Unicode 9: what StripAccents removes, and all that has a combining class.",
    "punctuation": "Punctuation of Unicode 8, and ASCII's.",
    "whole": "Characters that were given decompositions after Unicode 9.",
    "latestMarks": "Marks among those.",
    "latest": "Characters assigned in Unicode 17, which Oniguruma's tables do not have.",
}
if __name__ == "__main__":
    hashes() if "--hashes" in sys.argv else write()
