/** Counts by class: the confusion matrix, and precision and recall of each class. */

/** Rows by reference and predicted class; sparse, since there may be thousands of classes. */
export type Confusion = Readonly<{
  names: readonly string[];
  count: (reference: number, prediction: number) => number;
  cells: readonly (readonly [reference: number, prediction: number, count: number])[];
}>;

/** One class: how many rows were right, how many were predicted, and how many there are. */
export type ClassCounts = Readonly<{ name: string; hits: number; predicted: number; support: number }>;

/** Precision, recall and their harmonic mean; 0 if there are no predictions or no rows of the class. */
export type Rates = Readonly<{ precision: number; recall: number; f1: number }>;

/** Counts pairs of class indices. */
export function confusionOf(names: readonly string[], pairs: readonly (readonly [number, number])[]): Confusion {
  const counts = new Map<number, number>();
  for (const [reference, prediction] of pairs) {
    const key = reference * names.length + prediction;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return {
    names,
    count: (reference, prediction) => counts.get(reference * names.length + prediction) ?? 0,
    cells: [...counts].map(([key, count]) => [Math.floor(key / names.length), key % names.length, count] as const),
  };
}

/** Counts each class of a confusion matrix. */
export function classCounts({ names, cells }: Confusion): readonly ClassCounts[] {
  const classes = names.map((name) => ({ name, hits: 0, predicted: 0, support: 0 }));
  for (const [reference, prediction, count] of cells) {
    const [there, said] = [classes[reference], classes[prediction]];
    if (there) there.support += count;
    if (said) said.predicted += count;
    if (there && there === said) there.hits += count;
  }
  return classes;
}

/** Counts each label of rows with several labels. */
export function labelCounts(
  labels: readonly string[],
  rows: readonly Readonly<{ reference: ReadonlySet<string>; prediction: ReadonlySet<string> }>[],
): readonly ClassCounts[] {
  const classes = new Map(labels.map((name) => [name, { name, hits: 0, predicted: 0, support: 0 }]));
  for (const { reference, prediction } of rows) {
    for (const name of reference) {
      const counts = classes.get(name);
      if (counts) counts.support++;
      if (counts && prediction.has(name)) counts.hits++;
    }
    for (const name of prediction) {
      const counts = classes.get(name);
      if (counts) counts.predicted++;
    }
  }
  return [...classes.values()];
}

/** Precision, recall and F1 of one class. */
export function ratesOf({ hits, predicted, support }: ClassCounts): Rates {
  const share = (whole: number): number => (whole === 0 ? 0 : hits / whole);
  return {
    precision: share(predicted),
    recall: share(support),
    f1: predicted + support === 0 ? 0 : 2 * hits / (predicted + support),
  };
}

/** Keeps the `limit` largest classes in order, and combines the others into a last class. */
export function largestClasses(confusion: Confusion, limit: number): Confusion {
  const { names, cells } = confusion;
  if (names.length <= limit) return confusion;
  const support = classCounts(confusion).map((counts, i) => ({ i, size: counts.support + counts.predicted }));
  const largest = support.sort((a, b) => b.size - a.size || a.i - b.i).slice(0, limit - 1).map(({ i }) => i).sort((
    a,
    b,
  ) => a - b);
  const place = new Map(largest.map((old, i) => [old, i]));
  const pairs = cells.flatMap(([reference, prediction, count]) =>
    Array.from(
      { length: count },
      () => [place.get(reference) ?? largest.length, place.get(prediction) ?? largest.length] as const,
    )
  );
  return confusionOf([...largest.map((i) => names[i] ?? ""), `${names.length - largest.length} others`], pairs);
}
