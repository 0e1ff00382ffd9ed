/** How many of some rows have a mark, where they were drawn by chance from rows of which so many have it. */
import { exp, log } from "../../core/math/math.ts";

/** Factorials up to which they are multiplied out. */
const EXACT = 16;

function lnFactorial(n: number): number {
  if (n <= EXACT) {
    let product = 1;
    for (let i = 2; i <= n; i++) product *= i;
    return log(product);
  }
  // Stirling's series; what follows is below 1e-12 from here on.
  const x = n + 1;
  const tail = 1 / (12 * x) - 1 / (360 * x ** 3) + 1 / (1260 * x ** 5);
  return (x - 0.5) * log(x) - x + 0.5 * log(2 * Math.PI) + tail;
}

function lnChoose(n: number, k: number): number {
  return lnFactorial(n) - lnFactorial(k) - lnFactorial(n - k);
}

/**
 * The number at a place `u` of [0, 1) of the hypergeometric distribution: `drawn` of `all` rows are taken, `marked` of `all`
 * have the mark. From the likeliest number outwards, so it takes about as many steps as the numbers are spread.
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
