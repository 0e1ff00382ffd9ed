/** ONNX files: against the format's own definition (onnx-buf), round trips, and input that is broken on purpose. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import assert from "node:assert/strict";
import { test } from "node:test";
import * as pb from "onnx-buf";
import { AttuneError } from "../../core/base/errors.ts";
import {
  attributeTypes,
  elementTypes,
  type OnnxAttribute,
  type OnnxModel,
  type OnnxTensor,
  type OnnxValueInfo,
  readOnnx,
  writeOnnx,
} from "../../core/onnx/mod.ts";
import { bytesPerElement, type DType, sizeOf } from "../../core/base/tensor.ts";

const dtypes = Object.keys(elementTypes) as DType[];

/** A model with every kind of attribute, tensor and dim. */
const small: OnnxModel = {
  irVersion: 10,
  opsets: [{ domain: "", version: 21 }, { domain: "com.microsoft", version: 1 }],
  producer: "attune",
  graph: {
    name: "småll ☃ 𝄞",
    nodes: [
      {
        op: "Gemm",
        domain: "",
        name: "y linear",
        inputs: ["x", "w", ""],
        outputs: ["y"],
        attributes: {
          alpha: { type: "float", value: 0.5 },
          transB: { type: "int", value: 1 },
          axis: { type: "int", value: -1 },
          big: { type: "int", value: Number.MIN_SAFE_INTEGER },
          mode: { type: "string", value: "tanh" },
          perm: { type: "ints", value: [0, -2, 300, 2 ** 40] },
          none: { type: "ints", value: [] },
          scales: { type: "floats", value: [1, -0.25, Infinity, NaN] },
          value: { type: "tensor", value: { name: "", dtype: "int64", dims: [1], data: new Uint8Array(8) } },
        },
      },
      { op: "Gelu", domain: "com.microsoft", name: "", inputs: ["y"], outputs: ["z"], attributes: {} },
    ],
    inputs: [{ name: "x", dtype: "float32", dims: ["batch*seq", 384, ""] }],
    outputs: [{ name: "z", dtype: "bfloat16", dims: [] }],
    initializers: [
      { name: "scalar", dtype: "float32", dims: [], data: Uint8Array.of(0, 0, 128, 63) },
      { name: "empty", dtype: "int8", dims: [0, 3], data: new Uint8Array(0) },
      {
        name: "w",
        dtype: "float16",
        dims: [300, 384],
        external: { location: "model.safetensors", offset: 5_000_000_000, length: 230_400 },
      },
    ],
  },
  metadata: { license: "MIT", __proto__x: "" },
};

const isTyped = (code?: string) => (error: unknown): boolean =>
  error instanceof AttuneError && error.plugin === "onnx" && (code === undefined || error.code === code);

test("what is written is what the format's own definition reads", () => {
  const read = fromBinary(pb.ModelProtoSchema, writeOnnx(small));
  assert.equal(read.$unknown, undefined);
  assert.equal(read.irVersion, 10n);
  assert.equal(read.producerName, "attune");
  assert.deepEqual(read.opsetImport.map((o) => [o.domain, o.version]), [["", 21n], ["com.microsoft", 1n]]);
  assert.deepEqual(read.metadataProps.map((e) => [e.key, e.value]), [["license", "MIT"], ["__proto__x", ""]]);
  const graph = read.graph;
  assert.ok(graph);
  assert.equal(graph.name, small.graph.name);
  const [gemm, gelu] = graph.node;
  assert.deepEqual([gemm?.opType, gemm?.domain, gemm?.name], ["Gemm", "", "y linear"]);
  assert.deepEqual([gelu?.opType, gelu?.domain, gelu?.name], ["Gelu", "com.microsoft", ""]);
  assert.deepEqual([gemm?.input, gemm?.output], [["x", "w", ""], ["y"]]);
  const attributes = new Map(gemm?.attribute.map((a) => [a.name, a]));
  const types = pb.AttributeProto_AttributeType;
  assert.equal(attributes.get("alpha")?.f, 0.5);
  assert.equal(attributes.get("transB")?.i, 1n);
  assert.equal(attributes.get("axis")?.i, -1n);
  assert.equal(attributes.get("big")?.i, BigInt(Number.MIN_SAFE_INTEGER));
  assert.equal(new TextDecoder().decode(attributes.get("mode")?.s), "tanh");
  assert.deepEqual(attributes.get("perm")?.ints, [0n, -2n, 300n, 2n ** 40n]);
  assert.deepEqual(attributes.get("none")?.ints, []);
  assert.deepEqual(attributes.get("scales")?.floats, [1, -0.25, Infinity, NaN]);
  assert.deepEqual(attributes.get("value")?.t?.dims, [1n]);
  assert.deepEqual([...attributes.values()].map((a) => a.type), [
    types.FLOAT,
    types.INT,
    types.INT,
    types.INT,
    types.STRING,
    types.INTS,
    types.INTS,
    types.FLOATS,
    types.TENSOR,
  ]);
  const [scalar, empty, w] = graph.initializer;
  assert.deepEqual([...scalar?.rawData ?? []], [0, 0, 128, 63]);
  assert.deepEqual([scalar?.dims, empty?.dims, w?.dims], [[], [0n, 3n], [300n, 384n]]);
  assert.equal(w?.dataLocation, pb.TensorProto_DataLocation.EXTERNAL);
  assert.deepEqual(w?.externalData.map((e) => [e.key, e.value]), [
    ["location", "model.safetensors"],
    ["offset", "5000000000"],
    ["length", "230400"],
  ]);
  const type = graph.input[0]?.type?.value;
  assert.ok(type?.case === "tensorType");
  assert.equal(type.value.elemType, pb.TensorProto_DataType.FLOAT);
  assert.deepEqual(type.value.shape?.dim.map((d) => d.value.value), ["batch*seq", 384n, undefined]);
});

test("element and attribute types are numbered as in the format", () => {
  const names: Record<DType, keyof typeof pb.TensorProto_DataType> = {
    float32: "FLOAT",
    float64: "DOUBLE",
    float16: "FLOAT16",
    bfloat16: "BFLOAT16",
    int64: "INT64",
    int32: "INT32",
    int8: "INT8",
    uint8: "UINT8",
    bool: "BOOL",
  };
  for (const dtype of dtypes) assert.equal(elementTypes[dtype], pb.TensorProto_DataType[names[dtype]]);
  for (const [name, type] of Object.entries(attributeTypes)) {
    const key = name.toUpperCase() as keyof typeof pb.AttributeProto_AttributeType;
    assert.equal(type, pb.AttributeProto_AttributeType[key]);
  }
});

test("what the format's own definition writes is read, unpacked and typed data included", () => {
  const tensor = (dataType: number, dims: bigint[], data: object): pb.TensorProto =>
    create(pb.TensorProtoSchema, { name: `t${dataType}`, dataType, dims, ...data });
  const bytes = toBinary(
    pb.ModelProtoSchema,
    create(pb.ModelProtoSchema, {
      irVersion: 8n,
      producerName: "other",
      producerVersion: "1",
      docString: "left out",
      modelVersion: -1n,
      opsetImport: [{ version: 17n }],
      graph: {
        name: "g",
        docString: "left out",
        valueInfo: [{ name: "left out" }],
        node: [{
          opType: "Op",
          input: ["a"],
          output: ["b"],
          docString: "left out",
          attribute: [
            { name: "zero", type: attributeTypes.int },
            { name: "untyped", ints: [1n, -1n, 70000n] },
            { name: "floats", floats: [0.5, 2], type: attributeTypes.floats },
          ],
        }],
        initializer: [
          tensor(1, [2n], { floatData: [0.5, -2] }),
          tensor(3, [2n], { int32Data: [-1, 127] }),
          tensor(7, [2n], { int64Data: [2n ** 63n - 1n, -(2n ** 63n)] }),
          tensor(10, [2n], { int32Data: [0x3c00, 0xffff] }),
          tensor(6, [1n, 1n], { int32Data: [-5] }),
          tensor(9, [], { int32Data: [1] }),
          tensor(2, [1n], { dataLocation: 1, externalData: [{ key: "location", value: "w.bin" }] }),
        ],
      },
    }),
  );
  const { graph, ...model } = readOnnx(bytes);
  assert.deepEqual(model, { irVersion: 8, producer: "other", opsets: [{ domain: "", version: 17 }] });
  assert.deepEqual(graph.nodes, [{
    op: "Op",
    domain: "",
    name: "",
    inputs: ["a"],
    outputs: ["b"],
    attributes: {
      zero: { type: "int", value: 0 },
      untyped: { type: "ints", value: [1, -1, 70000] },
      floats: { type: "floats", value: [0.5, 2] },
    },
  }]);
  assert.deepEqual(graph.initializers, [
    { name: "t1", dtype: "float32", dims: [2], data: new Uint8Array(Float32Array.of(0.5, -2).buffer) },
    { name: "t3", dtype: "int8", dims: [2], data: Uint8Array.of(255, 127) },
    {
      name: "t7",
      dtype: "int64",
      dims: [2],
      data: new Uint8Array(BigInt64Array.of(2n ** 63n - 1n, -(2n ** 63n)).buffer),
    },
    { name: "t10", dtype: "float16", dims: [2], data: Uint8Array.of(0, 0x3c, 255, 255) },
    { name: "t6", dtype: "int32", dims: [1, 1], data: Uint8Array.of(251, 255, 255, 255) },
    { name: "t9", dtype: "bool", dims: [], data: Uint8Array.of(1) },
    { name: "t2", dtype: "uint8", dims: [1], external: { location: "w.bin", offset: 0, length: 1 } },
  ]);
});

test("a model that is written and read is the same model", () => {
  assert.deepEqual(readOnnx(writeOnnx(small)), small);
  const record = <T>(parts: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
    fc.record(parts, { noNullPrototype: true });
  const name = fc.oneof(fc.string({ maxLength: 8 }), fc.string({ unit: "grapheme", maxLength: 200 }));
  const int = fc.maxSafeInteger();
  const float = fc.float();
  const tensor: fc.Arbitrary<OnnxTensor> = record({
    name,
    dtype: fc.constantFrom(...dtypes),
    dims: fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 3 }),
    location: fc.option(fc.string({ minLength: 1 })),
    offset: fc.maxSafeNat(),
    fill: fc.integer({ min: 0, max: 255 }),
  }).map(({ name, dtype, dims, location, offset, fill }) => {
    const length = sizeOf(dims) * bytesPerElement[dtype];
    return location === null
      ? { name, dtype, dims, data: new Uint8Array(length).fill(fill) }
      : { name, dtype, dims, external: { location, offset, length } };
  });
  const attribute: fc.Arbitrary<OnnxAttribute> = fc.oneof(
    int.map((value) => ({ type: "int" as const, value })),
    float.map((value) => ({ type: "float" as const, value })),
    name.map((value) => ({ type: "string" as const, value })),
    fc.array(int, { maxLength: 40 }).map((value) => ({ type: "ints" as const, value })),
    fc.array(float, { maxLength: 40 }).map((value) => ({ type: "floats" as const, value })),
    tensor.map((value) => ({ type: "tensor" as const, value })),
  );
  const node = record({
    op: fc.string({ minLength: 1, maxLength: 9 }),
    domain: name,
    name,
    inputs: fc.array(name, { maxLength: 3 }),
    outputs: fc.array(name, { maxLength: 3 }),
    attributes: fc.dictionary(name, attribute, { maxKeys: 4, noNullPrototype: true }),
  });
  const values: fc.Arbitrary<OnnxValueInfo[]> = fc.array(
    record({
      name,
      dtype: fc.constantFrom(...dtypes),
      dims: fc.array(fc.oneof(fc.maxSafeNat(), name), { maxLength: 3 }),
    }),
    { maxLength: 3 },
  );
  const model: fc.Arbitrary<OnnxModel> = record({
    irVersion: fc.integer({ min: 1, max: 20 }),
    opsets: fc.array(record({ domain: name, version: fc.maxSafeNat() }), { maxLength: 2 }),
    producer: name,
    graph: record({
      name,
      nodes: fc.array(node, { maxLength: 5 }),
      inputs: values,
      outputs: values,
      initializers: fc.array(tensor, { maxLength: 4 }),
    }),
  });
  fc.assert(
    fc.property(model, (model) => {
      const bytes = writeOnnx(model);
      assert.deepEqual(readOnnx(bytes), model);
      assert.equal(fromBinary(pb.ModelProtoSchema, bytes).graph?.node.length, model.graph.nodes.length);
    }),
    { numRuns: 150 },
  );
});

test("a name such as __proto__ is a name like any other", () => {
  const attributes = Object.fromEntries([["__proto__", { type: "int" as const, value: 7 }]]);
  const node = { op: "A", domain: "", name: "", inputs: [], outputs: [], attributes };
  const read = readOnnx(writeOnnx({ ...small, graph: { ...small.graph, nodes: [node] } }));
  assert.deepEqual(Object.entries(read.graph.nodes[0]?.attributes ?? {}), [["__proto__", { type: "int", value: 7 }]]);
});

test("a file cut off at any byte is a typed error, or a shorter model", () => {
  const bytes = writeOnnx(small);
  // The graph is the third field: behind it, a cut between two fields leaves a model that is valid, only shorter.
  let valid = 0;
  for (let length = 0; length < bytes.length; length++) {
    try {
      const model = readOnnx(bytes.subarray(0, length));
      assert.deepEqual(model.graph, small.graph);
      valid++;
    } catch (error) {
      assert.ok(isTyped("BAD_FILE")(error), `${length}: ${error}`);
    }
  }
  assert.equal(valid, 4);
});

test("a file with any bytes changed is a typed error or another model", () => {
  const bytes = writeOnnx(small);
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.nat(255), fc.nat(bytes.length - 1), fc.nat(255), (i, a, j, b) => {
      const changed = bytes.slice();
      changed[i] = a;
      changed[j] = b;
      try {
        readOnnx(changed);
      } catch (error) {
        if (!isTyped()(error)) throw error;
      }
    }),
    { numRuns: 1500 },
  );
});

test("broken input is refused by name", () => {
  const refusals: readonly (readonly [what: string, bytes: readonly number[], message: RegExp])[] = [
    ["a varint of 11 bytes", [8, ...new Array<number>(10).fill(255), 1], /more than 64 bits/],
    ["a varint above 64 bits", [8, ...new Array<number>(9).fill(255), 2], /more than 64 bits/],
    ["a number above 2^53", [8, ...new Array<number>(8).fill(255), 127], /not within ±2\^53/],
    ["a length above the rest", [58, 255, 255, 255, 255, 15], /takes 4294967295 bytes but 0 are left/],
    ["a negative length", [58, ...new Array<number>(9).fill(255), 1], /a length of -1/],
    ["a length of 2^62", [58, ...new Array<number>(8).fill(128), 64], /not within ±2\^53/],
    ["a nested length above its message", [58, 2, 18, 5, 0, 0, 0, 0, 0], /takes 5 bytes but 0 are left/],
    ["a group", [11], /wire type 3/],
    ["wire type 7", [15], /wire type 7/],
    ["field 0", [0, 0], /not the tag of a field/],
    ["bytes where a number is expected", [10, 1, 0], /wire type 2 where 0 is expected/],
    ["a number where bytes are expected", [56, 1], /wire type 0 where 2 is expected/],
    ["text that is not UTF-8", [18, 1, 255], /not UTF-8/],
    ["nothing", [], /no graph/],
    ["a second graph", [58, 0, 58, 0], /two graphs/],
    ["no IR version", [58, 0], /IR version 0/],
    ["a node without an op", [8, 10, 58, 2, 10, 0], /no op_type/],
    ["an unknown fixed64 cut off", [73, 1, 2], /takes 8 bytes but 2 are left/],
  ];
  for (const [what, bytes, message] of refusals) {
    assert.throws(() => readOnnx(Uint8Array.from(bytes)), (error: unknown) => {
      assert.ok(isTyped("BAD_FILE")(error), what);
      assert.match(String(error), message, what);
      return true;
    });
  }
});

test("what a model here cannot hold is refused, not dropped", () => {
  const refused = (graph: object, message: RegExp, model: object = {}): void => {
    const file = create(pb.ModelProtoSchema, { irVersion: 8n, graph, ...model });
    assert.throws(() => readOnnx(toBinary(pb.ModelProtoSchema, file)), (error: unknown) => {
      assert.ok(isTyped()(error), String(error));
      assert.match(String(error), message);
      return true;
    });
  };
  const tensor = (fields: object): object => ({ initializer: [{ name: "t", dataType: 1, dims: [2n], ...fields }] });
  const node = (attribute: object): object => ({ node: [{ opType: "Op", attribute: [attribute] }] });
  const location = { key: "location", value: "w" };
  refused({}, /functions/, { functions: [{ name: "f" }] });
  refused({}, /training_info/, { trainingInfo: [{}] });
  refused({ sparseInitializer: [{}] }, /sparse_initializer/);
  refused(node({ name: "then", type: 5, g: {} }), /Attribute "then": 5 is not supported/);
  refused(node({ name: "s", type: 8, strings: [] }), /Attribute "s": 8 is not supported/);
  refused(node({ name: "r", type: 2, refAttrName: "x" }), /ref_attr_name/);
  refused(node({ name: "i", type: 2, f: 1 }), /value of float where int is declared/);
  refused(node({ name: "i", type: 2, i: 2n ** 63n - 1n }), /not within/);
  refused(node({ name: "n" }), /no type and no value/);
  refused({ node: [{ opType: "A", attribute: [{ name: "a", i: 1n }, { name: "a", i: 2n }] }] }, /two attributes "a"/);
  refused(tensor({ dataType: 12, rawData: new Uint8Array(16) }), /12 is not supported/);
  refused(tensor({ rawData: new Uint8Array(7) }), /7 bytes of data where float32 \[2\] takes 8/);
  refused(tensor({ floatData: [1] }), /4 bytes of data/);
  refused(tensor({}), /0 bytes of data/);
  refused(tensor({ rawData: new Uint8Array(8), floatData: [1, 2] }), /more than one kind/);
  refused(tensor({ dims: [-1n, -2n], rawData: new Uint8Array(8) }), /dims \[-1,-2\]/);
  refused(tensor({ dims: [2n ** 40n, 2n ** 40n], rawData: new Uint8Array(8) }), /are not sizes/);
  refused(tensor({ dataType: 3, int32Data: [1, 128] }), /128 is not a value of int8/);
  refused(tensor({ dataLocation: 1 }), /without a location/);
  refused(tensor({ dataLocation: 1, externalData: [location, location] }), /occurs twice/);
  refused(tensor({ dataLocation: 1, externalData: [location, { key: "length", value: "9" }] }), /external data of 9/);
  refused(tensor({ dataLocation: 1, externalData: [location, { key: "offset", value: "-1" }] }), /offset "-1"/);
  refused({ input: [{ name: "x" }] }, /Value "x": "no type"/);
});

test("limits on bytes, counts and depth hold", () => {
  const bytes = writeOnnx(small);
  assert.throws(() => readOnnx(bytes, { bytes: bytes.length - 1 }), isTyped("REFUSED"));
  assert.throws(() => readOnnx(bytes, { items: 100 }), isTyped("BAD_FILE"));
  assert.throws(() => readOnnx(bytes, { depth: 5 }), isTyped("BAD_FILE"));
  assert.deepEqual(readOnnx(bytes, { bytes: bytes.length, depth: 6 }), small);
  // Packed numbers count too: a kilobyte must not become thousands of them.
  const graph = { node: [{ opType: "A", attribute: [{ name: "a", ints: new Array<bigint>(1000).fill(0n) }] }] };
  const packed = toBinary(pb.ModelProtoSchema, create(pb.ModelProtoSchema, { irVersion: 8n, graph }));
  assert.throws(() => readOnnx(packed, { items: 999 }), /more than 999 fields and values/);
});

test("a model that would be a broken file is not written", () => {
  const write = (tensor: OnnxTensor) => () =>
    writeOnnx({ ...small, graph: { ...small.graph, initializers: [tensor] } });
  const base = { name: "t", dtype: "float32", dims: [2] } as const;
  assert.throws(write(base), /Tensor "t": expected either data or external/);
  assert.throws(write({ ...base, data: new Uint8Array(4) }), /expected 8 bytes for float32 \[2\] but found 4/);
  assert.throws(write({ ...base, dims: [-1, -2], data: new Uint8Array(8) }), /dims of 0 or more/);
  assert.throws(write({ ...base, external: { location: "w", offset: -4, length: 8 } }), /offset/);
  assert.throws(() => writeOnnx({ ...small, irVersion: 1.5 }), isTyped("BAD_VALUE"));
  assert.throws(() => writeOnnx({ ...small, irVersion: 2 ** 53 }), isTyped("BAD_VALUE"));
});

test("a graph of 6,000 nodes is written into one buffer, each of them read twice: for its size and for its bytes", () => {
  let reads = 0;
  const nodes = Array.from({ length: 6000 }, (_, i) => ({
    op: "Gemm",
    domain: i % 3 === 0 ? "com.microsoft" : "",
    name: `v${i} encoder.layer.${i % 12}.attention.self.query`,
    inputs: [`v${i - 1}`, `bert.encoder.layer.${i % 12}.attention.self.query.weight`],
    outputs: [`v${i}`],
    attributes: { alpha: { type: "float", value: 1 }, transB: { type: "int", value: -1 } } as const,
  }));
  const counted = nodes.map((node) => Object.defineProperty({ ...node }, "name", { get: () => (reads++, node.name) }));
  const made: number[] = [];
  const Bytes = globalThis.Uint8Array;
  globalThis.Uint8Array = new Proxy(Bytes, {
    construct: (_, args) => {
      if (typeof args[0] === "number") made.push(args[0]);
      return Reflect.construct(Bytes, args);
    },
  });
  let bytes: Uint8Array;
  try {
    bytes = writeOnnx({ ...small, graph: { ...small.graph, nodes: counted } });
  } finally {
    globalThis.Uint8Array = Bytes;
  }
  assert.deepEqual([reads, made], [2 * nodes.length, [bytes.length]]);
  assert.deepEqual(readOnnx(bytes), { ...small, graph: { ...small.graph, nodes } });
});
