"""Writes plugins/tokenizers/unicode_tables.ts: what Python's `tokenizers` takes each character for, asked of it.

The library's parts know different versions of Unicode. Only what no JavaScript engine's own tables can tell is written
down: classes of old versions whole, of new ones what was assigned last, so that engines of both versions agree.

    python test/plugins/tokenizers/unicode_tables.py [--hashes]

With --hashes it prints the SHA-256 of each class over all of Unicode, which the test compares.
"""
import hashlib, os, sys
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
            r"[[:upper:]]", r"[[:blank:]]", r"[[:cntrl:]]", r"[[:word:]]", r"\p{^L}", r"[^\p{L}\d]", r"\b" "(?<=.)",
        ]},
    }


def mapped(form):
    n = getattr(N, form)()
    return {c: n.normalize_str(chr(c)) for c in ALL}


def hashes():
    for name, chars in classes().items():
        print(name, hashlib.sha256(bytes(1 if c in chars else 0 for c in ALL)).hexdigest()[:16])
    for form in ["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "Nmt"]:
        print(form, hashlib.sha256("\n".join(mapped(form).values()).encode()).hexdigest()[:16])


def write():
    import unicodedata
    all_classes = classes()
    # Unicode 17's are not assigned in Oniguruma's tables; Python's own tables are older, so nothing else is asked.
    assigned = by_regex(r"\P{Cn}")
    newest = os.environ.get("NEWEST", "")
    tables = {name: packed(all_classes[name]) for name in ["control", "nonspacing", "mark", "punctuation"]}
    # What any of the engines takes apart and the library, which knows Unicode 9, does not.
    apart = {int(c, 36) for c in os.environ["APART"].split()}
    tables["whole"] = packed(apart)
    tables["latest"] = packed({int(c, 36) for c in newest.split()} - assigned)
    with open("plugins/tokenizers/unicode_tables.ts", "w") as file:
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
    "latest": "Characters assigned in Unicode 17, which Oniguruma's tables do not have.",
}
if __name__ == "__main__":
    hashes() if "--hashes" in sys.argv else write()
