/** Scales, ticks and number formats of charts. */

/** Maps a domain to 0..1; `ticks` are round values within the domain. */
export type Scale = Readonly<{ low: number; high: number; ticks: readonly number[]; at: (value: number) => number }>;

/** Returns a linear scale over `values`; `nice`: extends the domain to round ends. */
export function linearScale(values: readonly number[], count: number, nice: boolean): Scale {
  let [low, high] = extent(values);
  // Values that differ only by rounding are treated as equal, and those next to zero as zero.
  const size = Math.max(Math.abs(low), Math.abs(high));
  if (size < 1e-200) [low, high] = [0, 1];
  else if (high - low < size * 1e-9) [low, high] = [low - size / 2, high + size / 2];
  const step = niceStep((high - low) / count);
  if (nice) [low, high] = [Math.floor(low / step) * step, Math.ceil(high / step) * step];
  const ticks: number[] = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) ticks.push(tidy(i * step));
  return { low, high, ticks, at: (value) => (value - low) / (high - low) };
}

/** Returns a logarithmic scale over positive values, with ticks at 1, 2 and 5 times powers of ten as space allows. */
export function logScale(values: readonly number[]): Scale {
  const [least, most] = extent(values.filter((value) => value > 0));
  const low = Math.floor(Math.log10(least));
  const high = Math.max(low + 1, Math.ceil(Math.log10(most)));
  const every = Math.ceil((high - low) / 5);
  const ticks: number[] = [];
  for (let i = low; i <= high; i += every) ticks.push(Number(`1e${i}`));
  const at = (value: number): number => (Math.log10(Math.max(value, 10 ** low)) - low) / (high - low);
  return { low: 10 ** low, high: 10 ** high, ticks, at };
}

/** Returns the minimum and maximum of the finite values; 0 and 1 if there are none. */
export function extent(values: readonly number[]): [low: number, high: number] {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : [0, 1];
}

/** Formats a number with `digits` significant digits, separated thousands, and an exponent if very small or large. */
export function showNumber(value: number, digits = 4): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "not a number" : value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e15) return sign(value, grouped(String(size)));
  if (size < 1e-3 || size >= 1e15) return sign(value, exponent(size, digits));
  const text = size >= 10 ** digits ? String(Math.round(size)) : size.toPrecision(digits);
  return sign(value, grouped(text));
}

/** Returns the labels of ticks, all with the same number of decimals. */
export function showTicks(ticks: readonly number[]): string[] {
  const gaps = ticks.slice(1).map((tick, i) => Math.abs(tick - (ticks[i] ?? 0)));
  const step = Math.min(...gaps, Infinity);
  const largest = Math.max(...ticks.map(Math.abs), 0);
  if (step < 1e-3 || largest >= 1e7) {
    return ticks.map((tick) => tick === 0 ? "0" : sign(tick, exponent(Math.abs(tick), 3)));
  }
  // A step of 0.25 needs two decimals, although its magnitude suggests one.
  const decimals = Number.isFinite(step) ? (tidy(step).toString().split(".")[1] ?? "").length : 3;
  return ticks.map((tick) => sign(tick, grouped(Math.abs(tick).toFixed(Math.min(decimals, 6)))));
}

/** Formats a fraction as a percentage: 0.9134 → "91.3 %". */
export function showPercent(share: number, decimals = 1): string {
  return Number.isFinite(share) ? `${sign(share, Math.abs(share * 100).toFixed(decimals))}\u202f%` : "–";
}

/** Formats a duration in seconds: 75 → "1 min 15 s". */
export function showSeconds(seconds: number): string {
  if (!(seconds >= 0)) return "–";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** Returns a position on a scale in percent of the chart, rounded to two decimals. */
export function percentAt(scale: Scale, value: number): number {
  return Math.round(scale.at(value) * 10000) / 100;
}

function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  const share = rough / power;
  return power * (share <= 1.0000001 ? 1 : share <= 2.0000001 ? 2 : share <= 5.0000001 ? 5 : 10);
}

function tidy(value: number): number {
  return Number(value.toPrecision(10));
}

function grouped(text: string): string {
  const [whole = "", decimals] = text.split(".");
  const spaced = whole.length > 4 ? whole.replace(/\B(?=(\d{3})+$)/g, "\u202f") : whole;
  return decimals === undefined ? spaced : `${spaced}.${decimals}`;
}

function exponent(size: number, digits: number): string {
  const [mantissa = "", power = ""] = size.toExponential(digits - 1).split("e");
  return `${Number(mantissa)}e${power.replace("+", "").replace("-", "−")}`;
}

function sign(value: number, text: string): string {
  return value < 0 && /[1-9]/.test(text) ? `−${text}` : text;
}
