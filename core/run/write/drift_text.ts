/** The text of a drift from quantizing a base. */
import type { Drift } from "../../types.ts";

/** Returns a drift as one line of text. */
export function driftText({ rows, loss, logits, gradientCosine }: Drift): string {
  const short = (x: number): string => String(Number(x.toPrecision(3)));
  const gradients = gradientCosine === null ? "" : `, gradients at a cosine of ${short(gradientCosine)}`;
  return `over ${rows} rows, the mean loss changes by ${short(loss)} nats, and a logit by at most ${
    short(logits)
  }${gradients}`;
}
