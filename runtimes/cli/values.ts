/** Parsers for the values of command line options. */
import { InvalidArgumentError, Option } from "commander";
import { BYTE_COUNT, byteCount } from "../../core/base/byte_count.ts";
import { refused } from "../../core/base/errors.ts";

/** Returns a parser for whole numbers between limits. */
export function wholeNumber(least: number, most = Infinity): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${least}${most < Infinity ? ` to ${most}` : ""}.`);
  };
}

/** Parses a number of bytes. */
export function bytes(text: string): number {
  const count = byteCount(text);
  if (count === undefined) throw new InvalidArgumentError(`Expected ${BYTE_COUNT}.`);
  return count;
}

/** Parses a list separated by commas. */
export function list(text: string): string[] {
  return text.split(",").map((name) => name.trim()).filter((name) => name !== "");
}

/** Collects the values of a repeated option. */
export function collect(value: string, all: readonly string[] = []): string[] {
  return [...all, value];
}

/** Parses a number that is not negative. */
export function positiveNumber(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && value >= 0) return value;
  throw new InvalidArgumentError("Expected a number of at least 0.");
}

/** The devices that commands support. ONNX Runtime's others are refused by name, so that no run seems to use one. */
const here: readonly string[] = ["auto", "cpu"];
const elsewhere: readonly string[] = ["webgpu", "cuda", "dml", "coreml"];

/** Returns the option that selects the device. */
export function deviceOption(): Option {
  return new Option("--device <name>", "where to compute: auto or cpu").argParser((text) => {
    if (here.includes(text)) return text;
    const allowed = here.join(" or ");
    if (!elsewhere.includes(text.replace(/:\d+$/, ""))) throw new InvalidArgumentError(`Expected ${allowed}.`);
    throw refused("attune", `--device ${text}: this version computes on the CPU alone; allowed: ${allowed}`);
  });
}
