/**
 * Optimizer steps in one pass, four values at a time.
 */

// AdamW (Loshchilov & Hutter 2019): g·scale, both moments, decay, step. If T is an integer type, the gradient gets an
// L2 term as in Adam. This is a type parameter so that each form compiles to its own loop without a branch.
function adamLoop<T>(
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
  l2: f32,
  rate: f32,
  root: f32,
  epsilon: f32,
): void {
  const S = f32x4.splat(scale), B1 = f32x4.splat(beta1), C1 = f32x4.splat(gain1);
  const B2 = f32x4.splat(beta2), C2 = f32x4.splat(gain2), L = f32x4.splat(l2);
  const K = f32x4.splat(keep), R = f32x4.splat(rate), Q = f32x4.splat(root), E = f32x4.splat(epsilon);
  let i: usize = 0;
  for (const end = n & ~3; i < end; i += 4) {
    const o = i << 2;
    const w = v128.load(p + o);
    let d = f32x4.mul(v128.load(g + o), S);
    if (isInteger<T>()) d = f32x4.add(d, f32x4.mul(w, L));
    const a = f32x4.add(f32x4.mul(v128.load(m + o), B1), f32x4.mul(d, C1));
    const b = f32x4.add(f32x4.mul(v128.load(v + o), B2), f32x4.mul(f32x4.mul(d, d), C2));
    v128.store(m + o, a);
    v128.store(v + o, b);
    const step = f32x4.div(f32x4.mul(a, R), f32x4.add(f32x4.mul(f32x4.sqrt(b), Q), E));
    v128.store(p + o, f32x4.sub(f32x4.mul(w, K), step));
  }
  for (; i < n; i++) {
    const o = i << 2;
    const w = load<f32>(p + o);
    let d = load<f32>(g + o) * scale;
    if (isInteger<T>()) d += w * l2;
    const a = load<f32>(m + o) * beta1 + d * gain1;
    const b = load<f32>(v + o) * beta2 + d * d * gain2;
    store<f32>(m + o, a);
    store<f32>(v + o, b);
    store<f32>(p + o, w * keep - (a * rate) / (sqrt<f32>(b) * root + epsilon));
  }
}

// AdamW; `l2` is ignored.
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
  l2: f32,
  rate: f32,
  root: f32,
  epsilon: f32,
): void {
  adamLoop<f32>(p, g, m, v, n, scale, beta1, gain1, beta2, gain2, keep, l2, rate, root, epsilon);
}

// Adam with an L2 term.
export function adam(
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
  l2: f32,
  rate: f32,
  root: f32,
  epsilon: f32,
): void {
  adamLoop<i32>(p, g, m, v, n, scale, beta1, gain1, beta2, gain2, keep, l2, rate, root, epsilon);
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
  const S = f32x4.splat(scale), L = f32x4.splat(decay), M = f32x4.splat(momentum);
  const G = f32x4.splat(gain), R = f32x4.splat(rate);
  let i: usize = 0;
  for (const end = n & ~3; i < end; i += 4) {
    const o = i << 2;
    const w = v128.load(p + o);
    let d = f32x4.add(f32x4.mul(v128.load(g + o), S), f32x4.mul(L, w));
    if (momentum != 0) {
      const m = first ? d : f32x4.add(f32x4.mul(v128.load(b + o), M), f32x4.mul(d, G));
      v128.store(b + o, m);
      d = nesterov ? f32x4.add(d, f32x4.mul(M, m)) : m;
    }
    v128.store(p + o, f32x4.sub(w, f32x4.mul(R, d)));
  }
  for (; i < n; i++) {
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
