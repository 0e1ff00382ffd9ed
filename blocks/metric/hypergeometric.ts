/** The hypergeometric distribution: how many of the rows drawn at random are marked. */
import { exp, log } from "../../core/math/math.ts";

/** Factorials up to this one are computed exactly. */
const EXACT = 16;

function lnFactorial(n: number): number {
  if (n <= EXACT) {
    let product = 1;
    for (let i = 2; i <= n; i++) product *= i;
    return log(product);
  }
  // Stirling's series; its further terms are below 1e-12 from here on.
  const x = n + 1;
  const tail = 1 / (12 * x) - 1 / (360 * x ** 3) + 1 / (1260 * x ** 5);
  return (x - 0.5) * log(x) - x + 0.5 * log(2 * Math.PI) + tail;
}

function lnChoose(n: number, k: number): number {
  return lnFactorial(n) - lnFactorial(k) - lnFactorial(n - k);
}

/**
 * Returns the quantile `u`, in [0, 1), of the hypergeometric distribution: `drawn` of `all` rows are drawn, `marked` of
 * `all` have the mark. Searches from the mode outwards, in about as many steps as the distribution is wide.
 */
export function hypergeometric(u: number, all: number, marked: number, drawn: number): number {
  const [least, most] = [Math.max(0, drawn + marked - all), Math.min(drawn, marked)];
  const mode = Math.min(most, Math.max(least, Math.floor((drawn + 1) * (marked + 1) / (all + 2))));
  const share = exp(lnChoose(marked, mode) + lnChoose(all - marked, drawn - mode) - lnChoose(all, drawn));
  let [left, up, down, above, below] = [u - share, mode, mode, share, share];
  while (left >= 0 && (up < most || down > least)) {
    if (up < most) {
      above *= (marked - up) * (drawn - up) / ((up + 1) * (all - marked - drawn + up + 1));
      up++;
      left -= above;
      if (left < 0) return up;
    }
    if (down > least) {
      below *= down * (all - marked - drawn + down) / ((marked - down + 1) * (drawn - down + 1));
      down--;
      left -= below;
      if (left < 0) return down;
    }
  }
  return mode;
}
