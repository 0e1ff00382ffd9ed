/** Class names derived from the rows, if none were given. */
import * as v from "valibot";
import { asNumber } from "../../core/data/class_reader.ts";
import { badValue, missing } from "../../core/base/errors.ts";

/** A class name as users write it: 1 is "1". */
export type Label = string | number | boolean;

/** Schema of distinct class names. */
export const labelsSchema: v.GenericSchema<readonly Label[], readonly string[]> = v.pipe(
  v.array(v.pipe(v.union([v.string(), v.number(), v.boolean()], "the name of a class"), v.transform(String))),
  v.minLength(1),
  v.check((labels) => new Set(labels).size === labels.length, "distinct labels"),
);

/** A column with more distinct values is probably not one of classes. */
const MOST = 1000;

/**
 * Returns the distinct values of a column of classes, sorted: as numbers if all are numbers, else by code points.
 *
 * @throws AttuneError if a value cannot be a class name, or there are too many of them.
 */
export function classesIn(values: Iterable<readonly [row: number, value: unknown]>): readonly string[] {
  const names = new Map<string, number | undefined>();
  for (const [at, value] of values) {
    const number = asNumber(value);
    if (number !== undefined && !Number.isInteger(number)) {
      throw badValue(
        "labels",
        `row ${at}`,
        value,
        'the name or number of a class (for numbers, set task.with.problemType to "regression")',
      );
    }
    if (number === undefined && typeof value !== "string" && typeof value !== "boolean") {
      throw badValue("labels", `row ${at}`, value, "the name or number of a class");
    }
    // 1, "1" and "1.0" are the same class; "01" is another.
    const text = String(value);
    names.set(number !== undefined && !/^0\d/.test(text.trim()) ? String(number) : text, number);
    if (names.size > MOST) {
      throw badValue(
        "labels",
        "the rows",
        `more than ${MOST} labels`,
        "fewer classes, or their names in task.with.labels",
      );
    }
  }
  if (names.size === 0) throw missing("labels", "task.with.labels", "the spec, and the rows have none");
  const all = [...names];
  const numbers = all.every(([, number]) => number !== undefined);
  return all.sort(([a, m], [b, n]) => (numbers ? Number(m) - Number(n) : a < b ? -1 : 1)).map(([name]) => name);
}

/** Whether a column that could have class names has class numbers; -1 and absent values are rows without a class. */
export function areNumbersOf(names: readonly string[], values: readonly unknown[]): boolean {
  return values.every((value) =>
    value === null || (typeof value === "number" && Number.isInteger(value) && value >= -1 && value < names.length)
  );
}
