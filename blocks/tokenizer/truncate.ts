/** Truncation that leaves room for special tokens, and windows with a stride. */
import { badValue } from "../../core/base/errors.ts";

/** Strategies of truncation. */
export type Strategy = "longest_first" | "only_first" | "only_second" | "do_not_truncate";

/** A range of each text in tokens: [start, end). */
export type Window = Readonly<{ a: readonly [number, number]; b: readonly [number, number] | undefined }>;

/**
 * Returns the windows over texts of `a` and `b` tokens that fit into `room` tokens; neighbours share `stride` tokens.
 * `side`: the end that is cut; windows proceed from the other end.
 *
 * @throws AttuneError if there is no room, or if the stride is not below the room.
 */
export function windowsOf(
  a: number,
  b: number | undefined,
  options: Readonly<
    { strategy: Strategy; room: number; stride: number; overflow: boolean; side?: "left" | "right" }
  >,
): [Window, ...Window[]] {
  const windows = windowsFromStart(a, b, options);
  if (options.side !== "left") return windows;
  const turned = (length: number, [from, to]: readonly [number, number]): [number, number] => [
    length - to,
    length - from,
  ];
  return windows.map((w): Window => ({ a: turned(a, w.a), b: w.b && turned(b ?? 0, w.b) })) as [Window, ...Window[]];
}

function windowsFromStart(
  a: number,
  b: number | undefined,
  options: Readonly<{ strategy: Strategy; room: number; stride: number; overflow: boolean }>,
): [Window, ...Window[]] {
  const { strategy, room, stride, overflow } = options;
  const whole: Window = { a: [0, a], b: b === undefined ? undefined : [0, b] };
  if (strategy === "do_not_truncate" || a + (b ?? 0) <= room) return [whole];
  if (room < 0) throw badValue("hf", "maxLength", room, "a length with room for the special tokens");
  if (strategy === "longest_first") {
    if (b === undefined) return windowsOfOne(a, room, stride, overflow);
    // The longer text is cut first, then both: the shorter keeps half, and the longer the remaining room.
    const [less, more] = [Math.min(a, b), Math.max(a, b)];
    const rest = less > room ? less : Math.max(less, room - less);
    const [keepLess, keepMore] = less + rest > room
      ? [Math.floor(room / 2), Math.ceil(room / 2)]
      : [less, Math.min(more, rest)];
    const [keepA, keepB] = a > b ? [keepMore, keepLess] : [keepLess, keepMore];
    if (!overflow) return [{ a: [0, keepA], b: [0, keepB] }];
    // Every window of one text with every window of the other, as in Hugging Face's tokenizers.
    const [as, bs] = [spans(a, keepA, stride), spans(b, keepB, stride)];
    return as.flatMap((x, i) => (i === 0 ? bs.slice(0, 1) : bs).map((y): Window => ({ a: x, b: y })))
      .concat(bs.slice(1).map((y): Window => ({ a: as[0] ?? [0, 0], b: y }))) as [Window, ...Window[]];
  }
  const second = strategy === "only_second" && b !== undefined;
  const [cut, keep] = second ? [b, a] : [a, b ?? 0];
  const size = room - keep;
  if (size <= 0) {
    throw badValue(
      "hf",
      "maxLength",
      room,
      `a length that leaves room next to the ${second ? "first" : "second"} text's ${keep} tokens`,
    );
  }
  const parts = overflow ? spans(cut, size, stride) : [[0, Math.min(cut, size)] as const];
  return parts.map((
    part,
  ): Window => (second ? { a: [0, a], b: part } : { a: part, b: b === undefined ? undefined : [0, b] })) as [
    Window,
    ...Window[],
  ];
}

function windowsOfOne(length: number, room: number, stride: number, overflow: boolean): [Window, ...Window[]] {
  if (!overflow) return [{ a: [0, room], b: undefined }];
  return spans(length, room, stride).map((a): Window => ({ a, b: undefined })) as [Window, ...Window[]];
}

function spans(length: number, size: number, stride: number): (readonly [number, number])[] {
  if (length <= size) return [[0, length]];
  if (stride >= size) throw badValue("hf", "stride", stride, `a stride below the room for the text, ${size} tokens`);
  const windows: (readonly [number, number])[] = [];
  for (let start = 0;; start += size - stride) {
    const end = Math.min(length, start + size);
    windows.push([start, end]);
    if (end >= length) return windows;
  }
}
