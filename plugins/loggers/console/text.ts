/** Formats numbers, times and bars for the console. */

/** Formats an integer with separated thousands. */
export function wholeText(n: number): string {
  return String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** Formats a number with about four digits: 0.6931, 12.35, 2.9e-4. */
export function short(x: number): string {
  if (!Number.isFinite(x) || x === 0) return String(x);
  const size = Math.abs(x);
  if (size < 1e-3 || size >= 1e6) return x.toExponential(2).replace(/\.?0+e/, "e").replace("e+", "e");
  return size < 10 ? x.toFixed(4) : size < 100 ? x.toFixed(2) : x.toFixed(1);
}

/** Formats milliseconds as 0:42, 12:05 or 1:02:03. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (n: number): string => String(n).padStart(2, "0");
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** Draws a bar of `width` characters. */
export function bar(done: number, total: number, width: number): string {
  const filled = total > 0 ? Math.min(width, Math.max(0, Math.floor(width * done / total))) : 0;
  return "━".repeat(filled) + "─".repeat(width - filled);
}

/** Joins the first parts that fit in one line, separated by two blanks. */
export function fit(parts: readonly string[], columns: number): string {
  let line = "";
  for (const part of parts) {
    const longer = line === "" ? part : `${line}  ${part}`;
    if (longer.length > columns) break;
    line = longer;
  }
  return line;
}

/** Removes control characters, which could move a terminal's cursor: names and messages may come from anywhere. */
export function printable(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/\s+/g, " ").replace(/[\x00-\x1f\x7f-\x9f]/g, "?");
}

/** Formats metrics in one line. */
export function metricsText(metrics: Readonly<Record<string, number>>): string {
  return Object.entries(metrics).map(([name, value]) => `${printable(name)} ${short(value)}`).join("  ");
}
