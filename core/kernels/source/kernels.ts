/**
 * The kernels, in AssemblyScript: loops over one memory, which the caller lays out. Pointers are bytes.
 * Sums are kept in a fixed order, so that the JavaScript fallback gives the same bits.
 */

// AdamW (Loshchilov & Hutter 2019) in one pass: g·scale, both moments, decay, step.
export function adamw(
  p: usize,
  g: usize,
  m: usize,
  v: usize,
  n: usize,
  scale: f32,
  beta1: f32,
  gain1: f32,
  beta2: f32,
  gain2: f32,
  keep: f32,
  rate: f32,
  root: f32,
  epsilon: f32,
): void {
  const S = f32x4.splat(scale), B1 = f32x4.splat(beta1), C1 = f32x4.splat(gain1);
  const B2 = f32x4.splat(beta2), C2 = f32x4.splat(gain2);
  const K = f32x4.splat(keep), R = f32x4.splat(rate), Q = f32x4.splat(root), E = f32x4.splat(epsilon);
  let i: usize = 0;
  for (const end = n & ~3; i < end; i += 4) {
    const o = i << 2;
    const d = f32x4.mul(v128.load(g + o), S);
    const a = f32x4.add(f32x4.mul(v128.load(m + o), B1), f32x4.mul(d, C1));
    const b = f32x4.add(f32x4.mul(v128.load(v + o), B2), f32x4.mul(f32x4.mul(d, d), C2));
    v128.store(m + o, a);
    v128.store(v + o, b);
    const step = f32x4.div(f32x4.mul(a, R), f32x4.add(f32x4.mul(f32x4.sqrt(b), Q), E));
    v128.store(p + o, f32x4.sub(f32x4.mul(v128.load(p + o), K), step));
  }
  for (; i < n; i++) {
    const o = i << 2;
    const d = load<f32>(g + o) * scale;
    const a = load<f32>(m + o) * beta1 + d * gain1;
    const b = load<f32>(v + o) * beta2 + d * d * gain2;
    store<f32>(m + o, a);
    store<f32>(v + o, b);
    store<f32>(p + o, load<f32>(p + o) * keep - (a * rate) / (sqrt<f32>(b) * root + epsilon));
  }
}

// torch.optim.SGD: g·scale + λp; the momentum starts as the gradient.
export function sgd(
  p: usize,
  g: usize,
  b: usize,
  n: usize,
  scale: f32,
  decay: f32,
  momentum: f32,
  gain: f32,
  rate: f32,
  first: bool,
  nesterov: bool,
): void {
  for (let i: usize = 0; i < n; i++) {
    const o = i << 2;
    const w = load<f32>(p + o);
    let d = load<f32>(g + o) * scale + decay * w;
    if (momentum != 0) {
      const m = first ? d : load<f32>(b + o) * momentum + d * gain;
      store<f32>(b + o, m);
      d = nesterov ? d + momentum * m : m;
    }
    store<f32>(p + o, w - rate * d);
  }
}

// Σ x² in four float64 lanes, added up at the end in order.
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

// table[rows[i]] += values[i]; a negative row is left out.
export function scatterAddRows(table: usize, rows: usize, values: usize, count: usize, width: usize): void {
  for (let i: usize = 0; i < count; i++) {
    const row = load<i32>(rows + (i << 2));
    if (row >= 0) axpy(table + (<usize> row * width << 2), 1, values + (i * width << 2), width);
  }
}

// Philox4x32-10 (Salmon et al. 2011) of four counters that differ in their first word, word by word.
let w0: v128 = i32x4.splat(0), w1: v128 = i32x4.splat(0), w2: v128 = i32x4.splat(0), w3: v128 = i32x4.splat(0);

// @ts-ignore: decorator

function high(a: v128, b: v128): v128 {
  return i8x16.shuffle(
    i64x2.extmul_low_i32x4_u(a, b),
    i64x2.extmul_high_i32x4_u(a, b),
    4,
    5,
    6,
    7,
    12,
    13,
    14,
    15,
    20,
    21,
    22,
    23,
    28,
    29,
    30,
    31,
  );
}

function philox(c0: u32, c1: u32, c2: u32, c3: u32, k0: u32, k1: u32): void {
  let a: v128 = i32x4.add(i32x4.splat(c0), i32x4(0, 1, 2, 3));
  let b: v128 = i32x4.splat(c1), c: v128 = i32x4.splat(c2), d: v128 = i32x4.splat(c3);
  const M0 = i32x4.splat(0xd2511f53), M1 = i32x4.splat(0xcd9e8d57);
  for (let round = 0; round < 10; round++) {
    const h0 = high(a, M0), l0 = i32x4.mul(a, M0), h1 = high(c, M1), l1 = i32x4.mul(c, M1);
    a = v128.xor(v128.xor(h1, b), i32x4.splat(k0));
    b = l1;
    c = v128.xor(v128.xor(h0, d), i32x4.splat(k1));
    d = l0;
    k0 += 0x9e3779b9;
    k1 += 0xbb67ae85;
  }
  w0 = a;
  w1 = b;
  w2 = c;
  w3 = d;
}

// Scratch of 32 values behind which a row's end is cut.
// @ts-ignore: decorator

function put(out: usize, word: v128, threshold: v128, keep: v128): void {
  // Each 32-bit word gives two values: its low and its high 16 bits.
  const lowBits = v128.and(word, i32x4.splat(0xffff)), highBits = i32x4.shr_u(word, 16);
  v128.store(out, v128.and(i32x4.ge_u(lowBits, threshold), keep));
  v128.store(out, v128.and(i32x4.ge_u(highBits, threshold), keep), 16);
}

// `n` mask values (0 or keep) of one row: value i depends on (i, c1, c2, c3, key) alone. 32 values a round; `scratch`
// takes what goes over the end.
export function maskRow(
  out: usize,
  n: usize,
  threshold: u32,
  keep: f32,
  c1: u32,
  c2: u32,
  c3: u32,
  k0: u32,
  k1: u32,
  scratch: usize,
): void {
  const T = i32x4.splat(threshold), K = f32x4.splat(keep);
  for (let i: usize = 0, block: u32 = 0; i < n; i += 32, block += 4) {
    philox(block, c1, c2, c3, k0, k1);
    const to = i + 32 <= n ? out + (i << 2) : scratch;
    put(to, w0, T, K);
    put(to + 32, w1, T, K);
    put(to + 64, w2, T, K);
    put(to + 96, w3, T, K);
    if (to == scratch) memory.copy(out + (i << 2), scratch, (n - i) << 2);
  }
}

function fillOnes(out: usize, n: usize): void {
  for (let i: usize = 0; i < n; i++) store<f32>(out + (i << 2), 1);
}

// A row per place (sequence, position); padding (sequence -1) gets ones.
export function dropoutRows(
  out: usize,
  places: usize,
  count: usize,
  width: usize,
  threshold: u32,
  keep: f32,
  k0: u32,
  k1: u32,
  site: u32,
  scratch: usize,
): void {
  for (let i: usize = 0; i < count; i++) {
    const sequence = load<i32>(places + (i << 3)), position = load<i32>(places + (i << 3), 4);
    const to = out + (i * width << 2);
    if (sequence < 0) fillOnes(to, width);
    else maskRow(to, width, threshold, keep, position, sequence, site, k0, k1, scratch);
  }
}

// [batch, heads, queries, keys]: for each query the keys of its own sequence; elsewhere attention is zero anyway.
export function dropoutAttention(
  out: usize,
  queryPlaces: usize,
  keyPlaces: usize,
  batch: usize,
  heads: usize,
  queries: usize,
  keys: usize,
  threshold: u32,
  keep: f32,
  k0: u32,
  k1: u32,
  site: u32,
  scratch: usize,
): void {
  for (let b: usize = 0; b < batch; b++) {
    for (let q: usize = 0; q < queries; q++) {
      const place = queryPlaces + ((b * queries + q) << 3);
      const sequence = load<i32>(place), position = load<i32>(place, 4);
      if (sequence < 0) continue;
      let first: usize = 0, length: usize = 0;
      for (let k: usize = 0; k < keys; k++) {
        if (load<i32>(keyPlaces + ((b * keys + k) << 3)) != sequence) continue;
        if (length == 0) first = k;
        length++;
      }
      for (let h: usize = 0; h < heads; h++) {
        const row = out + ((((b * heads + h) * queries + q) * keys + first) << 2);
        maskRow(
          row,
          length,
          threshold,
          keep,
          <u32> (position * <i32> heads + <i32> h),
          sequence,
          site,
          k0,
          k1,
          scratch,
        );
      }
    }
  }
}
