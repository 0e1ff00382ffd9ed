/**
 * Values of the command line's options.
 * @module
 */
import { InvalidArgumentError } from "commander";
import { BYTE_COUNT, byteCount } from "../../core/base/byte_count.ts";

/** Reads a whole number between limits. */
export function wholeNumber(least: number, most = Infinity): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${least}${most < Infinity ? ` to ${most}` : ""}.`);
  };
}

/** Reads a number of bytes. */
export function bytes(text: string): number {
  const count = byteCount(text);
  if (count === undefined) throw new InvalidArgumentError(`Expected ${BYTE_COUNT}.`);
  return count;
}

/** Reads a list with commas. */
export function list(text: string): string[] {
  return text.split(",").map((name) => name.trim()).filter((name) => name !== "");
}

/** Adds to what a repeated option has. */
export function collect(value: string, all: string[]): string[] {
  return [...all, value];
}
