/**
 * Sums and scales of vectors. Sums are kept in a fixed order, so that the JavaScript fallback gives the same bits.
 */

// Σ x² in four float64 lanes, which are added in order at the end.
export function sumOfSquares(x: usize, n: usize): f64 {
  let low = f64x2.splat(0), high = f64x2.splat(0);
  let i: usize = 0;
  for (const end = n & ~3; i < end; i += 4) {
    const four = v128.load(x + (i << 2));
    const a = f64x2.promote_low_f32x4(four);
    const b = f64x2.promote_low_f32x4(i8x16.shuffle(four, four, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
    low = f64x2.add(low, f64x2.mul(a, a));
    high = f64x2.add(high, f64x2.mul(b, b));
  }
  let sum = f64x2.extract_lane(low, 0) + f64x2.extract_lane(low, 1) + f64x2.extract_lane(high, 0) +
    f64x2.extract_lane(high, 1);
  for (; i < n; i++) {
    const value = <f64> load<f32>(x + (i << 2));
    sum += value * value;
  }
  return sum;
}

// x *= factor, and Σ x² of the products, summed as above; NaN if some x was not finite before (exponent bits all ones).
export function unscale(x: usize, n: usize, factor: f32): f64 {
  const F = f32x4.splat(factor), ones = i32x4.splat(0x7f800000);
  let low = f64x2.splat(0), high = f64x2.splat(0), odd = i32x4.splat(0);
  let i: usize = 0;
  for (const end = n & ~3; i < end; i += 4) {
    const four = v128.load(x + (i << 2));
    odd = v128.or(odd, i32x4.eq(v128.and(four, ones), ones));
    const product = f32x4.mul(four, F);
    v128.store(x + (i << 2), product);
    const a = f64x2.promote_low_f32x4(product);
    const b = f64x2.promote_low_f32x4(
      i8x16.shuffle(product, product, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7),
    );
    low = f64x2.add(low, f64x2.mul(a, a));
    high = f64x2.add(high, f64x2.mul(b, b));
  }
  let sum = f64x2.extract_lane(low, 0) + f64x2.extract_lane(low, 1) + f64x2.extract_lane(high, 0) +
    f64x2.extract_lane(high, 1);
  let found: bool = v128.any_true(odd);
  for (; i < n; i++) {
    const one = load<f32>(x + (i << 2));
    if (!isFinite<f32>(one)) found = true;
    const product = one * factor;
    store<f32>(x + (i << 2), product);
    sum += <f64> product * <f64> product;
  }
  return found ? NaN : sum;
}

// x *= factor
export function scale(x: usize, n: usize, factor: f32): void {
  const F = f32x4.splat(factor);
  let i: usize = 0;
  for (const end = n & ~3; i < end; i += 4) v128.store(x + (i << 2), f32x4.mul(v128.load(x + (i << 2)), F));
  for (; i < n; i++) store<f32>(x + (i << 2), load<f32>(x + (i << 2)) * factor);
}

// y += a x
export function axpy(y: usize, a: f32, x: usize, n: usize): void {
  const A = f32x4.splat(a);
  let i: usize = 0;
  for (const end = n & ~3; i < end; i += 4) {
    const o = i << 2;
    v128.store(y + o, f32x4.add(v128.load(y + o), f32x4.mul(v128.load(x + o), A)));
  }
  for (; i < n; i++) store<f32>(y + (i << 2), load<f32>(y + (i << 2)) + load<f32>(x + (i << 2)) * a);
}

// table[rows[i]] += values[i]; row -1 is skipped.
export function scatterAddRows(table: usize, rows: usize, values: usize, count: usize, width: usize): void {
  for (let i: usize = 0; i < count; i++) {
    const row = load<i32>(rows + (i << 2));
    if (row >= 0) axpy(table + (<usize> row * width << 2), 1, values + (i * width << 2), width);
  }
}
