/** What quantizing a base changed, in words. */
import type { Drift } from "../../types.ts";

/** A drift as one line. */
export function driftText({ rows, loss, logits, gradientCosine }: Drift): string {
  const short = (x: number): string => String(Number(x.toPrecision(3)));
  const gradients = gradientCosine === null ? "" : `, gradients at a cosine of ${short(gradientCosine)}`;
  return `over ${rows} rows, the mean loss changes by ${short(loss)} nats, and a logit by at most ${
    short(logits)
  }${gradients}`;
}
