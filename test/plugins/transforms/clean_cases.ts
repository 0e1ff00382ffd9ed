/** Texts and what cleaning makes of them. */
import type { clean } from "../../../plugins/transforms/clean.ts";

type Options = Parameters<typeof clean>[0];

/** What it shows, options, the text, and what becomes of it. */
export const cleaned: readonly (readonly [string, Options, string, string])[] = [
  [
    "tags go and references are spelled out",
    {},
    "<p class='x'>Tom &amp; Jerry&#39;s caf&eacute;</p>",
    "Tom & Jerry's café",
  ],
  ["a block is a line of its own", {}, "one<br/>two<p>three</p>", "one\ntwo\nthree"],
  [
    "what is no tag stays",
    {},
    "a < b and c > d, <3, <unk>, x<y>z, AT&T & Co",
    "a < b and c > d, <3, <unk>, x<y>z, AT&T & Co",
  ],
  ["scripts, styles and comments go whole", {}, "a<script>if (x<1) y()</script> <!-- no --><style>p{}</style>b", "a b"],
  ["html stays where it is asked to", { html: false }, "<b>a</b> &amp;", "<b>a</b> &amp;"],
  ["control characters and what cannot be seen go", {}, "a\u0007b\u200bc\ufeff\u202ed", "abcd"],
  ["joiners stay: emoji and Persian need them", {}, "👨‍👩‍👧 می‌خواهم", "👨‍👩‍👧 می‌خواهم"],
  ["blanks become one, lines and paragraphs stay", {}, " a \t b\u00a0c \r\n d\n\n\n\ne ", "a b c\nd\n\ne"],
  ["blanks stay where they are asked to", { whitespace: false }, " a  b ", " a  b "],
  ["characters are composed", {}, "Cafe\u0301", "Café"],
  ["compatible characters where asked for", { unicode: "NFKC" }, "ﬁlm ①", "film 1"],
  ["characters stay where no form is asked for", { unicode: null }, "Cafe\u0301", "Cafe\u0301"],
  ["small letters where asked for", { lowercase: true }, "İÇ ΣΑΣ Straße", "i̇ç σας straße"],
  [
    "expressions with groups, one after the other",
    { replace: [["(\\d+) ?EUR", "€$1"], ["€", "$$"]] },
    "5 EUR, 7EUR",
    "$5, $7",
  ],
  ["an expression that matches nothing puts nothing", { replace: [["x*", ""]] }, "axxb", "ab"],
];
