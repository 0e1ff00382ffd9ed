/** Steps that clean a text, each with a map of positions. */
import { decodeHTML } from "entities";
import { applyEdits, asChangedText, type ChangedText, type Edit, replaceMatches } from "./changed_text.ts";

/** A form of Unicode's normalization. */
export type UnicodeForm = "NFC" | "NFD" | "NFKC" | "NFKD";

/** Normalizes a text to a Unicode form, one grapheme at a time. */
export function normalizeForm(text: string, form: UnicodeForm): ChangedText {
  const whole = text.normalize(form);
  if (whole === text) return asChangedText(text);
  const edits = [...new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(text)].flatMap(
    ({ segment, index }) => {
      const next = segment.normalize(form);
      return next === segment ? [] : [{ from: index, to: index + segment.length, text: next }];
    },
  );
  const parts = applyEdits(text, edits);
  if (parts.text === whole) return parts;
  // Characters whose normal form spans several graphemes: everything between unchanged text before and after.
  let from = 0;
  while (from < text.length && text[from] === whole[from]) from++;
  let same = 0;
  while (same < Math.min(text.length, whole.length) - from && text.at(-1 - same) === whole.at(-1 - same)) same++;
  return applyEdits(text, [{ from, to: text.length - same, text: whole.slice(from, whole.length - same) }]);
}

const elements =
  "a abbr acronym address applet area article aside audio b base basefont bdi bdo big blockquote body br button canvas caption " +
  "center cite code col colgroup data datalist dd del details dfn dialog dir div dl dt em embed fieldset figcaption figure font " +
  "footer form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html i iframe img input ins kbd label legend li link main " +
  "map mark menu meta meter nav noframes noscript object ol optgroup option output p param picture pre progress q rp rt ruby s " +
  "samp script search section select slot small source span strike strong style sub summary sup svg table tbody td template " +
  "textarea tfoot th thead time title tr track tt u ul var video wbr";
/** Elements that are on separate lines. */
const blocks = new Set(
  ("address article aside blockquote br center dd details dialog dir div dl dt fieldset figcaption figure footer form h1 h2 h3 " +
    "h4 h5 h6 header hr li main menu nav ol p pre section summary table tbody tfoot thead tr ul").split(" "),
);
const names = elements.replaceAll(" ", "|");
/** Attributes, whose quoted values may contain ">"; matched atomically, so that no text is tried in several ways. */
const attributes = String.raw`\s(?=((?:[^<>=]|=\s*"[^"<]*"|=\s*'[^'<]*'|=)*))\3`;
const markup = new RegExp(
  String.raw`<!--[^]*?-->|<!doctype[^<>]*>|<(script|style)\b[^<>]*>[^]*?</\1\s*>|</?(${names})(?:${attributes})?/?>`,
  "gi",
);

/**
 * Removes the tags, comments, scripts and styles of HTML, and decodes its character references. The end of a block or
 * line becomes a line end.
 */
export function withoutHtml(text: string): ChangedText {
  if (!text.includes("<") && !text.includes("&")) return asChangedText(text);
  const edits = [...text.matchAll(markup)].map((match) => ({
    from: match.index,
    to: match.index + match[0].length,
    text: blocks.has((match[2] ?? "").toLowerCase()) ? "\n" : "",
  }));
  const gone = applyEdits(text, edits);
  const spelled = replaceMatches(
    gone.text,
    /&(?:#\d{1,7}|#x[\da-f]{1,6}|[a-z][a-z\d]{1,31});/gi,
    ([reference]) => decodeHTML(reference),
  );
  return { text: spelled.text, start: (at) => spelled.start(gone.start(at)), end: (at) => spelled.end(gone.end(at)) };
}

// Control characters except tabs and line ends; zero-width and bidirectional formatting characters; lone surrogates.
const invisible =
  // deno-lint-ignore no-control-regex
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]|\p{Cs}/gu;

/** Removes control characters and invisible characters. */
export function withoutControl(text: string): ChangedText {
  return replaceMatches(text, invisible, () => "");
}

/** Collapses blanks, removes them at line ends, and leaves at most one empty line between paragraphs. */
export function tidySpaces(text: string): ChangedText {
  return replaceMatches(text, /\s+/gu, (match) => {
    const [blank] = match;
    const at = match.index ?? 0;
    if (at === 0 || at + blank.length === text.length) return "";
    const lines = blank.match(/\r\n|[\n\r\u0085\u2028\u2029]/gu)?.length ?? 0;
    return lines === 0 ? " " : lines === 1 ? "\n" : "\n\n";
  });
}

/** Lower-cases a text word by word, since a letter's lower case may depend on its position in the word. */
export function lowered(text: string): ChangedText {
  const edits: Edit[] = [];
  for (const { 0: word, index } of text.matchAll(/[\p{L}\p{M}]+/gu)) {
    const small = word.toLowerCase();
    let at = index;
    for (const letter of word) {
      const place = at - index;
      const next = small.length === word.length ? small.slice(place, place + letter.length) : letter.toLowerCase();
      if (next !== letter) edits.push({ from: at, to: at + letter.length, text: next });
      at += letter.length;
    }
  }
  return applyEdits(text, edits);
}
