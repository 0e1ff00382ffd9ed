/** Assertions for checks, like `node:assert/strict`, but for every runtime. */
import { show } from "../kit.ts";

/** An expected error: a pattern of its message, or values of its fields. */
export type Expected = RegExp | Readonly<Record<string, unknown>>;

/** Assertions that throw an error describing the failure. */
export interface Assert {
  ok(value: unknown, message?: string): asserts value;
  equal(value: unknown, expected: unknown, message?: string): void;
  notEqual(value: unknown, other: unknown, message?: string): void;
  deepEqual(value: unknown, expected: unknown, message?: string): void;
  match(text: string, pattern: RegExp, message?: string): void;
  /** Asserts that numbers differ pairwise by at most an absolute tolerance. */
  near(value: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number, message?: string): void;
  throws(run: () => unknown, expected?: Expected, message?: string): void;
  doesNotThrow(run: () => unknown, message?: string): void;
  rejects(run: Promise<unknown> | (() => Promise<unknown>), expected?: Expected, message?: string): Promise<void>;
}

/** The assertions that checks use. */
export const assert: Assert = {
  ok: (value, message) => {
    if (!value) throw new Error(message ?? `expected a true value but found ${show(value)}`);
  },
  equal: (value, expected, message) => {
    if (!Object.is(value, expected)) fail(message, `expected ${show(expected)} but found ${show(value)}`);
  },
  notEqual: (value, other, message) => {
    if (Object.is(value, other)) fail(message, `expected anything but ${show(other)}`);
  },
  deepEqual: (value, expected, message) => {
    const at = differs(value, expected, "");
    if (at !== undefined) fail(message, at);
  },
  match: (text, pattern, message) => {
    if (!pattern.test(text)) fail(message, `expected ${pattern} but found ${show(text)}`);
  },
  near: (value, expected, tolerance, message) => {
    if (value.length !== expected.length) {
      fail(message, `expected ${expected.length} numbers but found ${value.length}`);
    }
    for (let i = 0; i < expected.length; i++) {
      const [a = NaN, b = NaN] = [value[i], expected[i]];
      if (!(Math.abs(a - b) <= tolerance)) fail(message, `number ${i}: expected ${b} ± ${tolerance} but found ${a}`);
    }
  },
  throws: (run, expected, message) => {
    let result: unknown;
    try {
      result = run();
    } catch (error) {
      return isExpected(error, expected, message);
    }
    fail(message, `expected an error but found ${show(result)}`);
  },
  doesNotThrow: (run, message) => {
    try {
      run();
    } catch (error) {
      fail(message, `expected no error but found ${String(error)}`);
    }
  },
  rejects: async (run, expected, message) => {
    let result: unknown;
    try {
      result = await (typeof run === "function" ? run() : run);
    } catch (error) {
      return isExpected(error, expected, message);
    }
    fail(message, `expected an error but found ${show(result)}`);
  },
};

function fail(message: string | undefined, problem: string): never {
  throw new Error(message === undefined ? problem : `${message}: ${problem}`);
}

function isExpected(error: unknown, expected: Expected | undefined, message: string | undefined): void {
  if (expected === undefined) return;
  const text = error instanceof Error ? error.message : String(error);
  if (expected instanceof RegExp) {
    if (!expected.test(text)) fail(message, `expected an error ${expected} but found ${show(text)}`);
    return;
  }
  for (const [key, value] of Object.entries(expected)) {
    const member = typeof error === "object" && error !== null ? (error as Record<string, unknown>)[key] : undefined;
    const fits = value instanceof RegExp ? value.test(String(member)) : Object.is(member, value);
    if (!fits) fail(message, `expected an error with ${key} ${show(value)} but found ${show(member)} (${text})`);
  }
}

/** Returns where and how two values differ; undefined if equal. Array types and missing keys count as differences. */
function differs(value: unknown, expected: unknown, at: string): string | undefined {
  if (Object.is(value, expected)) return undefined;
  const sentence = `${at === "" ? "" : `${at}: `}expected ${show(expected)} but found ${show(value)}`;
  if (typeof value !== "object" || typeof expected !== "object" || value === null || expected === null) return sentence;
  if (Object.getPrototypeOf(value) !== Object.getPrototypeOf(expected)) return sentence;
  if (value instanceof Map && expected instanceof Map) return differs([...value], [...expected], at);
  if (value instanceof Set && expected instanceof Set) return differs([...value], [...expected], at);
  const [own, other] = [Object.keys(value), Object.keys(expected)];
  const place = (key: string): string => (at === "" ? key : `${at}.${key}`);
  const extra = own.find((key) => !Object.hasOwn(expected, key)) ?? other.find((key) => !Object.hasOwn(value, key));
  if (extra !== undefined) return `${place(extra)} is in one of both alone: ${sentence}`;
  for (const key of other) {
    const inside = differs(
      (value as Readonly<Record<string, unknown>>)[key],
      (expected as Readonly<Record<string, unknown>>)[key],
      place(key),
    );
    if (inside !== undefined) return inside;
  }
  return undefined;
}
