/** Values of the command line's options. */
import { InvalidArgumentError, Option } from "commander";
import { BYTE_COUNT, byteCount } from "../../core/base/byte_count.ts";
import { refused } from "../../core/base/errors.ts";

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
export function collect(value: string, all: readonly string[] = []): string[] {
  return [...all, value];
}

/** Reads a number that is not negative. */
export function positiveNumber(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && value >= 0) return value;
  throw new InvalidArgumentError("Expected a number of at least 0.");
}

/** Where commands compute, and where ONNX Runtime could: the latter are refused by name, so that no run is taken for one on them. */
const here: readonly string[] = ["auto", "cpu"];
const elsewhere: readonly string[] = ["webgpu", "cuda", "dml", "coreml"];

/** The option that says where a command computes. */
export function deviceOption(): Option {
  return new Option("--device <name>", "where to compute: auto or cpu").argParser((text) => {
    if (here.includes(text)) return text;
    const allowed = here.join(" or ");
    if (!elsewhere.includes(text.replace(/:\d+$/, ""))) throw new InvalidArgumentError(`Expected ${allowed}.`);
    throw refused("attune", `--device ${text}: this version computes on the CPU alone; allowed: ${allowed}`);
  });
}
