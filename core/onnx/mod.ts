/**
 * ONNX files as plain data: `writeOnnx` and `readOnnx`, without a dependency.
 * @module
 */
export * from "./model.ts";
export { writeOnnx } from "./write.ts";
export { type OnnxLimits, readOnnx } from "./read.ts";
export { type ProtoWriter, writeProto } from "./proto_writer.ts";
export { type ProtoReader, readProto } from "./proto_reader.ts";
export type { ProtoLimits } from "./wire.ts";
