/** The standard normal distribution. */
import { exp } from "../math/math.ts";
import { logNormalMass, truncatedQuantile } from "./truncated_normal.ts";

/** Distance from 0 beyond which the distribution vanishes in double precision. */
const FAR = 38;

/** Returns the cumulative distribution at x. */
export function normalShare(x: number): number {
  if (x <= -FAR) return 0;
  return x >= FAR ? 1 : exp(logNormalMass(-FAR - 1, x));
}

/** Returns the quantile of a share. */
export function normalQuantile(share: number): number {
  if (share <= 0) return -Infinity;
  return share >= 1 ? Infinity : truncatedQuantile(share, -FAR, FAR);
}
