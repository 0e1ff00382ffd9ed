/** The report of `attune data` as lines for a terminal. */
import { splitNames } from "../../core/spec/run_data.ts";
import { shownTransform } from "./shown.ts";
import type { ShownTokens } from "./tokens.ts";
import { shortened } from "./limited_rows.ts";
import type { DataReport, DuplicateReport, SplitReport } from "./report.ts";

/** Formats a report as lines of at most `width` characters. */
export function reportLines(report: DataReport, width: number): string[] {
  const lines: string[] = [];
  const say = (...texts: readonly string[]): void => {
    for (const text of texts) lines.push(shortenedLine(text, width));
  };
  for (const name of splitNames) {
    const split = report[name];
    if (split) say(...splitLines(name, split, width), "");
  }
  for (const [name, leaks] of Object.entries(report.leaks)) {
    say(`leaks        ${number(leaks.rows)} of ${number(leaks.of)} rows of ${name} are also in train`);
    for (const { train, other, text } of leaks.first.slice(0, 5)) say(`  train ${train} = ${name} ${other}  ${text}`);
    const { near } = leaks;
    if (!near) continue;
    say(
      `near leaks   ${number(near.other)} of ${number(leaks.of)} rows of ${name} are near-duplicates of training rows`,
    );
    if (near.uncompared > 0) say(`  ${number(near.uncompared)} pairs were not compared: there may be more`);
    for (const { row, other, similarity, text } of near.first.slice(0, 5)) {
      say(`  train ${row} ~ ${name} ${other}  ${similarity.toFixed(2)}  ${text}`);
    }
  }
  for (const { row, tokens } of report.tokens ?? []) {
    say("", `tokens       train row ${row}: learned tokens in [brackets]`);
    lines.push(...wrapped(marked(tokens), width - 2).map((line) => `  ${line}`));
  }
  if (report.tokens?.length === 0) say("", "tokens       this task has no token labels");
  if (report.labels) {
    say(
      "",
      `labels       ${number(report.labels.length)} are probably wrong (confident learning), the most doubtful first`,
    );
    for (const { split, row, given, suggested, score, text } of report.labels.slice(0, 20)) {
      say(`  ${split} ${row}  ${given} -> ${suggested}  ${score.toFixed(3)}  ${text}`);
    }
  }
  return lines;
}

/** Joins tokens, with those that are learned in brackets. */
function marked(tokens: ShownTokens["tokens"]): string {
  let [text, inside] = ["", false];
  for (const { text: token, learned, label } of tokens) {
    if (learned !== inside) text += learned ? "[" : "]";
    inside = learned;
    text += token.replace(/\n/g, "\u23ce");
    if (label === undefined) continue;
    // Each token's class comes after it.
    text += `/${label}]`;
    inside = false;
  }
  return inside ? `${text}]` : text;
}

/** Wraps a text in lines of `width` characters, at most ten. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (let at = 0; at < text.length && lines.length < 10; at += width) lines.push(text.slice(at, at + width));
  if (text.length > 10 * width) lines.push("...");
  return lines;
}

function splitLines(name: string, split: SplitReport, width: number): string[] {
  const { columns, lengths, duplicates, nearDuplicates, unreadable, transforms = [], notes } = split;
  const wide = Math.min(24, Math.max(6, ...Object.keys(columns).map((column) => column.length)));
  return [
    `data.${name}   ${number(split.out)} rows${split.in === split.out ? "" : ` of ${number(split.in)}`}`,
    ...notes.map((note) => `  ${note}`),
    ...transforms.map((transform) => `  ${shownTransform(transform)}`),
    `  ${"column".padEnd(wide)}  ${"type".padEnd(16)} missing  empty  contents`,
    ...Object.entries(columns).map(([column, report]) => {
      const types = Object.keys(report.types).join(", ") || "nothing";
      const { characters, values, entries = split.out } = report;
      const named = split.classes?.[column];
      const contents = values
        ? shares(values, entries, named, width - wide - 40)
        : characters
        ? `${number(characters.least)} to ${number(characters.most)} characters, mean ${characters.mean.toFixed(0)}`
        : "";
      const counts = `${number(report.missing).padStart(7)}  ${number(report.empty).padStart(5)}`;
      return `  ${column.padEnd(wide)}  ${types.padEnd(16)} ${counts}  ${contents}`;
    }),
    ...(lengths
      ? [
        `  tokens       ${number(lengths.total)}; a row has ${lengths.least} to ${
          number(lengths.most)
        }, median ${lengths.median}, ` +
        `p90 ${lengths.p90}, p95 ${lengths.p95}, p99 ${lengths.p99}`,
        lengths.maxLength === null
          ? "  maxLength    none"
          : `  maxLength    ${lengths.maxLength}: ${number(lengths.cutRows)} rows are cut (${
            percent(lengths.cutRows, split.out)
          }), ${number(lengths.cutTokens)} tokens lost (${percent(lengths.cutTokens, lengths.total)})`,
        ...bars(lengths.histogram, width),
      ]
      : []),
    ...duplicateLines("duplicates", duplicates, split.out),
    ...(nearDuplicates ? duplicateLines("near ones", nearDuplicates, split.out) : []),
    ...(unreadable
      ? [`  unreadable   ${number(unreadable.rows)} rows`, ...unreadable.first.slice(0, 3).map((text) => `    ${text}`)]
      : []),
  ];
}

function duplicateLines(name: string, { rows, first, uncompared = 0 }: DuplicateReport, all: number): string[] {
  return [
    `  ${name.padEnd(12)} ${number(rows)} rows (${percent(rows, all)})`,
    ...first.slice(0, 3).map(({ row, of, text }) => `    row ${row} = row ${of}  ${text}`),
    ...(uncompared > 0 ? [`    ${number(uncompared)} pairs were not compared: there may be more`] : []),
  ];
}

/** Formats the shares of values, as many as there is room for. */
function shares(
  values: Readonly<Record<string, number>>,
  rows: number,
  names: readonly string[] | undefined,
  room: number,
): string {
  const parts = Object.entries(values).map(([value, count]) => {
    const name = names?.[Number(value)];
    return `${name === undefined ? JSON.stringify(value) : `${value} ${name}`} ${percent(count, rows)}`;
  });
  let shown = 0;
  for (let length = 0; shown < parts.length && (length += (parts[shown]?.length ?? 0) + 2) < room;) shown++;
  const some = Math.max(1, shown);
  return parts.slice(0, some).join(", ") + (some < parts.length ? `, ... ${parts.length} values` : "");
}

function bars(histogram: readonly Readonly<{ upTo: number; rows: number }>[], width: number): string[] {
  const most = Math.max(1, ...histogram.map(({ rows }) => rows));
  const room = Math.max(10, Math.min(40, width - 40));
  const last = histogram.findLastIndex(({ rows }) => rows > 0);
  return histogram.slice(Math.max(0, histogram.findIndex(({ rows }) => rows > 0)), last + 1).map(({ upTo, rows }) =>
    `    ${`to ${upTo}`.padStart(9)}  ${"#".repeat(Math.ceil(room * rows / most)).padEnd(room)}  ${number(rows)}`
  );
}

/** Shortens an indented line instead of wrapping it; its spaces are kept. */
function shortenedLine(text: string, width: number): string {
  if (text.length <= width) return text;
  const indent = /^\s*/.exec(text)?.[0] ?? "";
  return text.length > width ? `${text.slice(0, Math.max(indent.length + 4, width - 3))}...` : shortened(text, width);
}

function number(value: number): string {
  return value.toLocaleString("en-US");
}

/** Formats a share of a whole as a percentage with one decimal. */
export function percent(part: number, whole: number): string {
  return `${whole === 0 ? "0.0" : (100 * part / whole).toFixed(1)} %`;
}
