/** The standard normal distribution. */
import { exp } from "../math/math.ts";
import { logNormalMass, truncatedQuantile } from "./truncated_normal.ts";

/** Where nothing of it is left in double precision. */
const FAR = 38;

/** The share of a standard normal that is at most x. */
export function normalShare(x: number): number {
  if (x <= -FAR) return 0;
  return x >= FAR ? 1 : exp(logNormalMass(-FAR - 1, x));
}

/** The x below which a share of a standard normal is. */
export function normalQuantile(share: number): number {
  if (share <= 0) return -Infinity;
  return share >= 1 ? Infinity : truncatedQuantile(share, -FAR, FAR);
}
