/** Values of steps in bounded memory: neighbouring points are merged as steps arrive. */

/** A point of a curve: means over `steps` optimizer steps that end at `step`, and the largest gradient norm. */
export type Point = Readonly<{
  step: number;
  steps: number;
  loss: number | null;
  gradNorm: number | null;
  learningRate: number;
}>;

/** Collects points; `points` never has more than `limit`. */
export type Series = Readonly<{
  add: (point: Point) => void;
  points: () => readonly Point[];
  /** The state as plain data, for a checkpoint. */
  state: () => SeriesState;
  restore: (state: SeriesState) => void;
}>;

/** A series as plain data. `open`: the point that still collects values. */
export type SeriesState = Readonly<{ points: readonly Point[]; open?: Point; every: number }>;

/** Returns a collector of at most `limit` points. When it is full, neighbours are merged, so that no step is lost. */
export function createSeries(limit: number): Series {
  let points: Point[] = [];
  let open: Point | undefined;
  let every = 1;
  return {
    add: (point) => {
      open = open ? merge(open, point) : point;
      if (open.steps < every) return;
      // A full list is merged first; an incomplete last point counts towards `limit`.
      if (points.length + 1 >= limit) {
        const pairs: Point[] = [];
        for (let i = 0; i < points.length; i += 2) {
          const [a, b] = [points[i], points[i + 1]];
          if (a) pairs.push(b ? merge(a, b) : a);
        }
        points = pairs;
        every *= 2;
      }
      points.push(open);
      open = undefined;
    },
    points: () => open ? [...points, open] : points,
    state: () => ({ points: [...points], ...(open ? { open } : {}), every }),
    restore: (state) => {
      points = [...state.points];
      ({ open, every } = { open: undefined, ...state });
    },
  };
}

/** Smooths with a triangular window of `2 * reach + 1` points, narrowing to a third at the ends; gaps stay gaps. */
export function smooth(values: readonly (number | null)[], reach: number): (number | null)[] {
  return values.map((value, i) => {
    if (value === null) return null;
    // Narrower windows follow a steep start, but a window of one point would only show the last step's noise.
    const near = Math.min(reach, Math.max(Math.min(i, values.length - 1 - i), Math.ceil(reach / 3)));
    let [sum, weights] = [0, 0];
    for (let j = -near; j <= near; j++) {
      const other = values[i + j];
      if (other === null || other === undefined) continue;
      const weight = near + 1 - Math.abs(j);
      sum += weight * other;
      weights += weight;
    }
    return sum / weights;
  });
}

function merge(a: Point, b: Point): Point {
  const steps = a.steps + b.steps;
  const mean = (x: number | null, y: number | null): number | null =>
    x === null ? y : y === null ? x : x + (y - x) * (b.steps / steps);
  return {
    step: b.step,
    steps,
    loss: mean(a.loss, b.loss),
    gradNorm: a.gradNorm === null ? b.gradNorm : b.gradNorm === null ? a.gradNorm : Math.max(a.gradNorm, b.gradNorm),
    learningRate: mean(a.learningRate, b.learningRate) ?? 0,
  };
}
